// The only source of random numbers: uids, seeds, nonces, secrets.

import { randomBytes as bytes } from "node:crypto";

/** Returns `count` random bytes, fit for secrets. */
export const randomBytes = (count: number): Uint8Array => new Uint8Array(bytes(count));

/** Returns `count` random bytes as hex digits, two per byte. */
export const randomHex = (count: number): string => bytes(count).toString("hex");
