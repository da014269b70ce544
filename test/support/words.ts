// The words of a line in a golden file's cluster: flags, `key=value`, and numbers with their units.

import { GIB, MIB, type Ms } from "../../src/core/units";

/** The words of a line behind its noun and name. */
export class Words {
  readonly values = new Map<string, string>();
  constructor(words: readonly string[]) {
    for (const word of words) {
      const at = word.indexOf("=");
      if (at < 0) this.values.set(word, "");
      else this.values.set(word.slice(0, at), word.slice(at + 1));
    }
  }
  has(key: string): boolean {
    return this.values.has(key);
  }
  text(key: string): string | undefined {
    return this.values.get(key);
  }
  list(key: string): string[] {
    return this.text(key)?.split(",") ?? [];
  }
  number(key: string, otherwise: number): number {
    return this.has(key) ? Number(this.text(key)) : otherwise;
  }
  ms(key: string, otherwise: Ms): Ms {
    return this.has(key) ? parseMs(this.text(key) ?? "") : otherwise;
  }
  /** Returns the words with a prefix: [zone, a] for `label.zone=a` and the prefix `label.`. */
  under(prefix: string): [string, string][] {
    return [...this.values]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value]);
  }
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  MiB: MIB,
  GiB: GIB,
  GB: GIB,
};

export function parseMs(text: string): number {
  const match = /^(-?[\d.]+)([a-zA-Z]+)$/.exec(text);
  const unit = UNITS[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw new Error(`not a number with a unit: ${text}`);
  return Number(match[1]) * unit;
}

export const parseCpu = (text: string): number =>
  text.endsWith("m") ? Number(text.slice(0, -1)) : Number(text) * 1_000;

/** Returns the text with spaces that a word stands for: `2_processes_are_left`. */
export const spaced = (text: string): string => text.replaceAll("_", " ");
