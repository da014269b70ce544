// The units of amounts and times. A signature says with them what a number is.

/** Milliseconds: a duration, or a Unix time when the name says so. */
export type Ms = number;
/**
 * A moment on this machine's boot clock: milliseconds since boot, sleep included. It never jumps, so everything that is
 * decided by time is decided on it. It means nothing on another boot or another machine.
 */
export type BootMs = number & { readonly clock?: "boot" };
/**
 * A moment on a wall clock, as Unix time. It jumps when it is corrected, so it is for people. The compiler refuses it
 * where a moment of the boot clock is asked for, and the other way round.
 */
export type WallMs = number & { readonly clock?: "wall" };
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
