// Texts about thrown values. Any value can be thrown, and most are Errors.

/** Returns the message of an error, or the text of another value. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Returns an error with the place where it was thrown, for people who fix the bug. */
export const traceOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
