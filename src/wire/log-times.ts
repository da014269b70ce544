// The time at the beginning of a line of a log that was asked for with times. All have one length, so that a copy that
// goes on after a lost connection can count bytes.

/** The last moment whose text is not longer than the others: the end of the year 9999. */
const MOST_MS = Date.UTC(10_000, 0) - 1;

/** How long a time is with the space behind it. */
export const TIME_LENGTH = "2026-01-31T12:00:00.250Z ".length;

/** Returns the time and the space behind it: `2026-01-31T12:00:00.250Z `. */
export function timeText(time_ms: number): string {
  const known_ms = Number.isFinite(time_ms) ? Math.min(Math.max(time_ms, 0), MOST_MS) : 0;
  return `${new Date(known_ms).toISOString()} `;
}

const TIMED = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) /;

/** Returns a line without its time, and the time in Unix milliseconds; null if the line has none. */
export function splitTime(line: string): { readonly time_ms: number | null; readonly line: string } {
  const [head = "", text] = TIMED.exec(line) ?? [];
  return text === undefined ? { time_ms: null, line } : { time_ms: Date.parse(text), line: line.slice(head.length) };
}
