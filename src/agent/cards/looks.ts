// Looks repeatedly through one vendor's probe, one look at a time. Its owner says when the next look begins. A look
// that hangs does not block anything else.

import { formatDuration } from "../../core/format";
import type { BootMs, Ms } from "../../core/units";
import { messageOf } from "../../os/errors";
import type { DeviceProbe, DeviceLook } from "../devices/device";

/** Probes limit their looks themselves. This limit is for a probe that fails to. */
const HUNG_AFTER_MS = 30_000;

export interface VendorLooksOptions {
  readonly clock: () => BootMs;
  /** Called when a look has ended. `n` counts looks from 1; `at_ms` is when this one began. */
  readonly took: (look: DeviceLook, n: number, at_ms: Ms) => void;
  /** Returns how long to wait before the next look. */
  readonly delay: () => Ms;
}

export interface VendorLooks {
  readonly probe: DeviceProbe;
  /** Returns how many looks have begun. */
  begun(): number;
  /** Looks at once, or when the current look has ended. */
  soon(): void;
  /** Begins a new look. Resolves when that look has ended or has taken too long. */
  fresh(): Promise<void>;
  close(): void;
}

export function openLooks(probe: DeviceProbe, options: VendorLooksOptions, hung_after_ms = HUNG_AFTER_MS): VendorLooks {
  let n = 0;
  let looking = false;
  let again = false;
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let waiting: { readonly n: number; readonly done: () => void }[] = [];

  const soon = (): void => {
    if (closed) return;
    if (looking) {
      again = true;
      return;
    }
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(look, 0);
  };

  const rest = (): void => {
    looking = false;
    if (closed) return;
    const wait_ms = again ? 0 : options.delay();
    again = false;
    timer = setTimeout(look, wait_ms);
  };

  const look = (): void => {
    timer = null;
    looking = true;
    const [mine, at_ms] = [++n, options.clock()];
    const take = (taken: DeviceLook): void => {
      if (!closed) options.took(taken, mine, at_ms);
      for (const one of waiting) if (one.n <= mine) one.done();
      waiting = waiting.filter((one) => one.n > mine);
    };
    const hung = setTimeout(
      () => take({ is: "failed", why: `it has not answered for ${formatDuration(hung_after_ms)}` }),
      hung_after_ms,
    );
    probe
      .look()
      .then((taken) => {
        clearTimeout(hung);
        take(taken);
      })
      .catch((error: unknown) => {
        clearTimeout(hung);
        take({ is: "failed", why: messageOf(error) });
      })
      .finally(rest);
  };

  return {
    probe,
    begun: () => n,
    soon,
    fresh: () =>
      new Promise((done) => {
        if (closed) return done();
        waiting.push({ n: n + 1, done });
        soon();
      }),
    close() {
      closed = true;
      for (const { done } of waiting) done();
      if (timer !== null) clearTimeout(timer);
      probe.close();
    },
  };
}
