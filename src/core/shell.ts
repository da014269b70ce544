// Words of a command line as a person types them into a shell.

/** Returns a word as a shell reads it: any shell, or bash, zsh and ksh if it has line breaks or control characters. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (!CONTROL.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  return `$'${word.replaceAll(/[\\']/g, (char) => `\\${char}`).replaceAll(CONTROLS, escaped)}'`;
}

const CONTROL = /\p{Cc}/u;
const CONTROLS = /\p{Cc}/gu;

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e" };

/** Returns a control character by its name, or by its number in octal, whose three digits end it. */
const escaped = (char: string): string =>
  NAMED[char] ?? [...new TextEncoder().encode(char)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
