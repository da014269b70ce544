// The key under which a request for a change may be repeated: any text of the caller's. A key of orch's own form also
// carries its issue time and the database's timeline, so that an old one is never taken for a new one.

import { HOUSE_LIMITS } from "../../core/limits";
import { formatDuration } from "../../core/format";
import type { Ms } from "../../core/units";
import { RefusedError } from "../refused";

const PRINTABLE = /^[ -~]+$/;
/** `<issue time in ms>-<timeline or ->-<20 hex digits>`: precise, so that no other text is taken for one. */
const DATED = /^(\d{13})-([0-9a-f]{32}|-)-[0-9a-f]{20}$/;
/** A key's issue time may be ahead of the server's clock by less than this. */
const AHEAD_MS = 10 * 60_000;

/**
 * Returns the key under which to keep the answer, or null if none was sent. Throws RefusedError for a key that cannot
 * be honoured.
 */
export function idempotencyOf(header: string | null, timeline: string, now_ms: Ms): string | null {
  if (header === null) return null;
  const key = header.trim();
  if (!PRINTABLE.test(key) || key.length > HOUSE_LIMITS.idempotency_key_chars) {
    const size = `it has ${key.length} characters`;
    throw new RefusedError(
      "bad_request",
      `the Idempotency-Key is no text of 1 to ${HOUSE_LIMITS.idempotency_key_chars} printable ASCII characters` +
        (PRINTABLE.test(key) || key === "" ? `: ${size}` : ""),
      "A UUID does: Idempotency-Key: 6f1c2a3e-9d0b-4b7e-8a55-0c9d2f4e7b18",
    );
  }
  requireFresh(key, timeline, now_ms);
  return key;
}

/** Throws RefusedError for a dated key of which nobody knows any more whether its request was done. */
function requireFresh(key: string, timeline: string, now_ms: Ms): void {
  const [, issued, of = "-"] = DATED.exec(key) ?? [];
  if (issued === undefined) return;
  if (of !== "-" && of !== timeline) {
    throw new RefusedError(
      "conflict",
      "the request was made for the database as it was before a restore",
      "Look at what is there now, then ask anew",
    );
  }
  const age_ms = now_ms - Number(issued);
  if (age_ms <= HOUSE_LIMITS.idempotency_ms && age_ms >= -AHEAD_MS) return;
  throw new RefusedError(
    "gone",
    age_ms > 0
      ? `the request's key is ${formatDuration(age_ms)} old: whether it was done is no longer known`
      : "the request's key is from the future",
    "Is the clock right? Look at what is there now, then ask anew",
  );
}
