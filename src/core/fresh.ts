// Uids that are derived from a seed instead of chance. The shell draws the seed, so a plan is reproducible and still
// never makes the same uid twice.

/** Returns 32 hex digits for any text: four rounds of FNV-1a with different bases, and a final mix. Not for secrets. */
export function digest128(text: string): string {
  let out = "";
  for (let lane = 0; lane < 4; lane++) {
    let hash = (0x811c9dc5 ^ Math.imul(lane + 1, 0x9e3779b1)) >>> 0;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
    out += ((hash ^ (hash >>> 16)) >>> 0).toString(16).padStart(8, "0");
  }
  return out;
}

/**
 * Returns the `n`-th uid of a pass. The counter is spread over the first digits, so that the short ids of one pass
 * differ.
 */
export function freshUid(seed: string, n: number): string {
  const head = (Number.parseInt(seed.slice(0, 8), 16) ^ Math.imul(n + 1, 0x9e3779b1)) >>> 0;
  return head.toString(16).padStart(8, "0") + seed.slice(8, 32);
}

/** Returns the uid of the next attempt under a grant. Server and agent derive the same one. */
export const successorUid = (uid: string, attempt: number): string => digest128(`${uid}/${attempt}`);

/** Returns a number in [0, 1) that depends on `text` alone: a jitter that is the same after a restart. */
export const jitterOf = (text: string): number => Number.parseInt(digest128(text).slice(0, 8), 16) / 2 ** 32;
