// A bug is not an error to be handled: it ends the process, which restarts and plans again from what is durable.

/** Ends the process' current turn with a clear message when `condition` does not hold; always on. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The error of a broken assumption of ours, never of a user's mistake. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** For the branch of a `switch` that no value may reach. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`);
}
