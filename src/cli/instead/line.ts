// An answer to a line of another tool.

import { shellWord } from "../../core/shell";

export interface Instead {
  /** Whose word it is, or null for a word of everybody's. */
  readonly tool: string | null;
  readonly typed: string;
  /** What is different here, or null. */
  readonly why: string | null;
  /** The command line to type instead, or null if there is none. */
  readonly line: string | null;
}

/** Joins command lines that are typed one after the other. Each but the first has its `orch`. */
export const inTurn = (lines: readonly string[]): string => [...new Set(lines)].join("; orch ");

export const sayAll = (said: Iterable<string>): string | null => [...new Set(said)].join("; ") || null;

/** Returns words as they are typed into a shell. */
export const shown = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./<>|-]+$/.test(word) ? word : shellWord(word))).join(" ");
