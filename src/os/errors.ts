// What was thrown, in words: anything can be thrown, and most of it is an Error.

/** Returns the message of an error, or the text of what is none. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Returns an error with the place that it came from, for those who mend a bug. */
export const traceOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
