// Looks through one vendor's probe again and again: one look at a time, never waited for longer than it may take, the
// next one when its owner says. A look that hangs leaves everything else as it is.

import type { Ms } from "../../core/units";
import type { DeviceProbe, Look } from "./device";

/** Probes end their looks themselves; this is for one that does not. */
const HUNG_AFTER_MS = 30_000;

export interface Looker {
  readonly clock: () => Ms;
  /** A look has ended; `n` counts them from 1, `at_ms` is when it began. */
  readonly took: (look: Look, n: number, at_ms: Ms) => void;
  /** How long to wait before the next look. */
  readonly delay: () => Ms;
}

export interface Eye {
  readonly probe: DeviceProbe;
  /** How many looks have begun. */
  begun(): number;
  /** Looks at once, or when the look that is under way has ended. */
  soon(): void;
  close(): void;
}

export function openEye(probe: DeviceProbe, looker: Looker, hung_after_ms = HUNG_AFTER_MS): Eye {
  let n = 0;
  let looking = false;
  let again = false;
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | null = null;

  const rest = (): void => {
    looking = false;
    if (closed) return;
    const wait_ms = again ? 0 : looker.delay();
    again = false;
    timer = setTimeout(look, wait_ms);
  };

  const look = (): void => {
    timer = null;
    looking = true;
    const [mine, at_ms] = [++n, looker.clock()];
    const take = (taken: Look): void => {
      if (!closed) looker.took(taken, mine, at_ms);
    };
    const hung = setTimeout(
      () => take({ is: "failed", why: `it has not answered for ${hung_after_ms / 1_000} s` }),
      hung_after_ms,
    );
    void probe
      .look()
      .catch((error: unknown): Look => ({ is: "failed", why: error instanceof Error ? error.message : String(error) }))
      .then((taken) => {
        clearTimeout(hung);
        take(taken);
        rest();
      });
  };

  return {
    probe,
    begun: () => n,
    soon() {
      if (closed) return;
      if (looking) {
        again = true;
        return;
      }
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(look, 0);
    },
    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      probe.close();
    },
  };
}
