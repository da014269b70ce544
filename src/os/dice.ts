// The only source of random numbers: uids, seeds, nonces, secrets.

/** Returns `count` random bytes, fit for secrets. */
export const randomBytes = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));

/** Returns `count` random bytes as hex digits, two per byte. */
export const randomHex = (count: number): string => randomBytes(count).toHex();
