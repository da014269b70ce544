// The one place where tests wait: for a condition, with a deadline, and with a failure that names what was waited for.
// Tests that kill at random moments wait for no condition, since the random moment is what they test.

const INTERVAL_MS = 20;

type Look<T> = () => T | Promise<T>;

/** What a check returns while there is nothing: also an empty text, as of a file that is made and not yet written. */
const NOT_YET: ReadonlySet<unknown> = new Set([false, ""]);

/**
 * Repeats `check` until it returns something (not null, undefined, false or an empty text), and returns that. A check
 * that throws counts as "not yet". When the deadline passes, the error names what was waited for and what the last
 * check returned.
 */
export async function waitUntil<T>(what: string, check: Look<T>, deadline_ms = 10_000): Promise<NonNullable<T>> {
  const started = performance.now();
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== null && value !== undefined && !NOT_YET.has(value)) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    const waited = performance.now() - started;
    if (waited > deadline_ms) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`waited ${Math.round(waited)} ms for: ${what}; at last it gave ${seen}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}

/**
 * Lets a random time pass, for tests that kill something at any moment. Nothing may be expected to have happened after
 * it.
 */
export const randomMoment = async (most_ms: number, dice: () => number = Math.random): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, dice() * most_ms);
  });
