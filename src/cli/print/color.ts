// Colours as functions that return their text unchanged where colour is not wanted.

export interface Style {
  readonly enabled: boolean;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/**
 * Returns whether colour is wanted: on a terminal only, and never where `NO_COLOR` is set (no-color.org) or the
 * terminal is dumb.
 */
export const wantsColor = (tty: boolean, env: Readonly<Record<string, string | undefined>>): boolean =>
  tty && !env["NO_COLOR"] && env["TERM"] !== "dumb";

export function style(enabled: boolean): Style {
  const paint =
    (on: number, off: number) =>
    (text: string): string =>
      enabled && text !== "" ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    enabled,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  };
}

const BAD = new Set(["failed", "unknown", "lost", "rejected", "quarantined", "unreachable", "unsatisfiable"]);
const GOOD = new Set(["running", "succeeded", "ready"]);
const QUIET = new Set(["stopped", "cancelled"]);

/** Colours a state of a task, run or node: red needs attention, green is good, yellow is in progress. */
export function paintState(styled: Style, state: string, text: string = state): string {
  if (BAD.has(state)) return styled.red(text);
  if (GOOD.has(state)) return styled.green(text);
  return QUIET.has(state) ? styled.dim(text) : styled.yellow(text);
}
