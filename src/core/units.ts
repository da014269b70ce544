// The units of amounts and times. A signature says with them what a number is.

/** Milliseconds: a duration, or a Unix time when the name says so. */
export type Ms = number;
/** Bytes, always whole. */
export type Bytes = number;
/** Thousandths of a core. */
export type Milli = number;

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;
