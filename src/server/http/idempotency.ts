// The key under which a request for a change may be repeated. It carries its issue time and the database's timeline, so
// that an old key is never taken for a new one.

import { HOUSE_LIMITS } from "../../core/limits";
import { formatDuration } from "../../core/format";
import type { Ms } from "../../core/units";
import { RefusedError } from "../refused";

const KEY = /^(\d{10,15})-([0-9a-f]{1,64}|-)-([A-Za-z0-9_]{8,64})$/;
/** A key's issue time may be ahead of the server's clock by less than this. */
const AHEAD_MS = 10 * 60_000;

/**
 * Returns the key under which to keep the answer, or null if none was sent. Throws RefusedError for a key that cannot
 * be honoured.
 */
export function idempotencyOf(header: string | null, timeline: string, now_ms: Ms): string | null {
  if (header === null) return null;
  const [, issued = "", of = "", random = ""] = KEY.exec(header.trim()) ?? [];
  if (random === "") {
    throw new RefusedError(
      "bad_request",
      "the Idempotency-Key is not <issue time in ms>-<timeline or ->-<random>",
      "such as 1700000000000---0123456789abcdef",
    );
  }
  if (of !== "-" && of !== timeline) {
    throw new RefusedError(
      "conflict",
      "the request was made for the database as it was before a restore",
      "Look at what is there now, then ask anew",
    );
  }
  const age_ms = now_ms - Number(issued);
  if (age_ms > HOUSE_LIMITS.idempotency_ms || age_ms < -AHEAD_MS) {
    throw new RefusedError(
      "gone",
      age_ms > 0
        ? `the request's key is ${formatDuration(age_ms)} old: whether it was done is no ` + "longer known"
        : "the request's key is from the future",
      "Is the clock right? Look at what is there now, then ask anew",
    );
  }
  return header.trim();
}
