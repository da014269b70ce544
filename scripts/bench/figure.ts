// What a measurement gives: a value with its goal, and the few statistics that the table shows.

export interface Row {
  readonly figure: string;
  readonly value: string;
  readonly goal: string;
  /** `met`, or by how much the goal was missed; empty without a goal. */
  readonly verdict: string;
}

export interface Bench {
  readonly name: string;
  readonly about: string;
  /** It takes long: it runs only when `--only` names it. */
  readonly named?: true;
  measure(options: { readonly runs: number; say(line: string): void }): Promise<Row[]>;
}

interface Goal {
  readonly at_most?: number;
  readonly at_least?: number;
}

/** Returns a value rounded to three significant digits. */
export function rounded(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const verdictOn = (met: boolean, value: number, goal: number): string =>
  met ? "met" : `MISSED by ${rounded((Math.abs(value - goal) / goal) * 100)} %`;

export function row(figure: string, value: number, unit: string, goal: Goal = {}): Row {
  const { at_most, at_least } = goal;
  const shown = `${rounded(value)} ${unit}`;
  if (at_most !== undefined) {
    return { figure, value: shown, goal: `≤ ${at_most} ${unit}`, verdict: verdictOn(value <= at_most, value, at_most) };
  }
  if (at_least !== undefined) {
    return {
      figure,
      value: shown,
      goal: `≥ ${at_least} ${unit}`,
      verdict: verdictOn(value >= at_least, value, at_least),
    };
  }
  return { figure, value: shown, goal: "", verdict: "" };
}

/** Returns the value below which the share `p` (0 to 1) of the samples lies, by the nearest rank. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? Number.NaN;
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

/** Does the same thing several times, one after the other. */
export async function repeated<T>(times: number, once: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let n = 0; n < times; n++) results.push(await once(n));
  return results;
}

/** Runs `count` calls with at most `width` of them at a time. */
export async function concurrently(count: number, width: number, call: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
