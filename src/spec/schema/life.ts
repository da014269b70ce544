// The keys that say how a task is ended, how a crash is handled, and how idle cards are handled.

import { z } from "zod";
import { readBackoff, readGrace, readIdleTime, readPercent, readSignal } from "../grammar/units";
import { ASK_LIMITS } from "../limits";
import { block, choice, expects, flag, key, quantity, reads, text, whole } from "./elements";

export const stop = block({
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
});

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
