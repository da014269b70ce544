// The keys that say how a task is ended, how a crash is handled, and how idle cards are handled.

import { z } from "zod";
import { readBackoff, readGrace, readIdleTime, readPercent, readSignal } from "../grammar/units";
import { ASK_LIMITS } from "../limits";
import { asWritten, block, choice, expects, flag, key, quantity, reads, text, whole } from "./elements";

/** A duration alone is Compose's `stop_grace_period`, a signal alone its `stop_signal`. */
function hintStop(input: unknown): string | null {
  const written = asWritten(input);
  if (written === null) return null;
  return /^\d/.test(written) ? `write \`stop: { grace: ${written} }\`` : `write \`stop: { signal: ${written} }\``;
}

const POLICIES: Readonly<Record<string, string>> = {
  always: "remove it: what ends is started again",
  "unless-stopped": "remove it: what ends is started again, until it is scaled to 0 or removed",
  "on-failure": "remove it: what ends is started again; what may end is a job",
  no: "write `restart: { attempts: 0 }`; what may end is a job",
  never: "write `restart: { attempts: 0 }`; what may end is a job",
};
const hintRestart = (input: unknown): string | null => {
  const word = input === false ? "no" : String(asWritten(input)).toLowerCase();
  const policy = Object.hasOwn(POLICIES, word) ? POLICIES[word] : undefined;
  return policy ?? (typeof input === "number" ? `write \`restart: { attempts: ${input} }\`` : null);
};

export const stop = block(
  {
    signal: key(
      reads(text("a signal's name"), readSignal).prefault("TERM"),
      "Signal that asks the task to end",
      "TERM",
      "INT",
    ),
    grace: key(
      quantity("a duration such as `10s`", readGrace).prefault("10s"),
      "How long it may take before everything left is killed",
      "10s",
    ),
  },
  "a map such as `{ signal: TERM, grace: 10s }`",
  hintStop,
);

export const restart = block(
  {
    backoff: key(
      quantity("a range of durations such as `1s..1m`", readBackoff).prefault("1s..1m"),
      "Pause before the next attempt: from the first to the longest, doubled each time",
      "1s..1m",
    ),
    attempts: key(
      z
        .union([z.literal("unlimited"), whole(0, ASK_LIMITS.attempts)], expects("a whole number or `unlimited`"))
        .prefault("unlimited"),
      "Crashes in a row that are put up with",
      "unlimited",
      5,
    ),
    offline: key(
      flag().optional(),
      "Whether the node restarts it alone, also while cut off; default true, false when `exclusive`",
    ),
  },
  "a map such as `{ backoff: 1s..1m, attempts: unlimited }`",
  hintRestart,
);

export const idle = block(
  {
    gpu_below: key(
      quantity("a percentage such as `5%`", readPercent).prefault("5%"),
      "A card that is used less than this is idle; a task's cards all have to be",
      "5%",
    ),
    for: key(
      quantity("a duration such as `30m`", readIdleTime).prefault("30m"),
      "How long without a break; the server's start begins it anew",
      "30m",
    ),
    // oxlint-disable-next-line unicorn/no-thenable -- the spec file's own word
    then: key(
      choice("notify", "stop").prefault("notify"),
      "`notify` tells it in `orch events`; `stop` ends it: a run is cancelled, a replica waits for `orch restart`",
    ),
    only_if_wanted: key(flag().prefault(true), "Only while somebody else waits for a card that this would free"),
  },
  "a map such as `{ gpu_below: 5%, for: 30m, then: stop }`",
);
