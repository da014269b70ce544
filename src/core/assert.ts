// Assertions. A broken one is a bug of orch: it ends the process, which restarts and plans again from what is durable.

/** Throws an AssertionError when `condition` does not hold. It is always on. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The error of a broken assumption of orch's own, never of a user's mistake. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** For the branch of a `switch` that no value can reach. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`);
}
