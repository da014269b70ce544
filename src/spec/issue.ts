// A fault in a text, its place, and what to write instead. Parser, server and command line share this form.

/**
 * One fault. Lines and columns count from 1; 0 means no place. `path` is the key's path; empty means the whole text.
 */
export interface Issue {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  readonly hint: string | null;
}

/**
 * The value that a short text stands for, or why it has none. Readers of core and spec return this instead of throwing.
 */
export type Parsed<T> =
  | { readonly is: "parsed"; readonly value: T }
  | { readonly is: "invalid"; readonly message: string; readonly hint: string | null };

export const parsed = <T>(value: T): Parsed<T> => ({ is: "parsed", value });
export const invalid = (message: string, hint: string | null = null): Parsed<never> => ({
  is: "invalid",
  message,
  hint,
});

export type Path = readonly (string | number)[];

/** Formats a path: `services.api.command[1]`. A key that would be misread is quoted. */
export function formatPath(path: Path): string {
  let out = "";
  for (const step of path) {
    if (typeof step === "number") out += `[${step}]`;
    else if (/^[\w.<-]+$/.test(step)) out += out === "" ? step : `.${step}`;
    else out += `[${JSON.stringify(step.length > 60 ? `${step.slice(0, 60)}…` : step)}]`;
  }
  return out;
}

/** Formats `file:line:column: path: message (hint)`, without the parts that an issue does not have. */
export function formatIssue(file: string, issue: Issue): string {
  const place = issue.line > 0 ? `${file}:${issue.line}:${issue.column}: ` : file === "" ? "" : `${file}: `;
  const path = issue.path === "" ? "" : `${issue.path}: `;
  return `${place}${path}${issue.message}${issue.hint === null ? "" : ` (${issue.hint})`}`;
}

/** Describes a value in an error, such as `not the text "x"`, short and on one line. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string") return value === "" ? "an empty text" : `the text ${quoted(value)}`;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : `a ${typeof value}`;
}

/** Returns a text in double quotes, shortened, with its control characters escaped. */
export const quoted = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
