// The only source of chance: uids, seeds, nonces, secrets.

import { randomBytes as bytes } from "node:crypto";

/** `count` random bytes, fit for secrets. */
export const randomBytes = (count: number): Uint8Array => new Uint8Array(bytes(count));

/** `count` random bytes as hex digits, two a byte. */
export const randomHex = (count: number): string => bytes(count).toString("hex");
