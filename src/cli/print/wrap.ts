// Texts fitted to a number of columns: cut, padded, or broken into lines. Wide letters count twice.

export const wide = (text: string): number => Bun.stringWidth(text);

export function pad(text: string, width: number, side: "left" | "right"): string {
  const room = " ".repeat(Math.max(0, width - wide(text)));
  return side === "right" ? room + text : text + room;
}

const DOTS = "…";

/** Cuts a text at its end, or in its middle where its end tells it from others, as the number of a slot does. */
export function cut(text: string, width: number, where: "end" | "middle" = "end"): string {
  if (wide(text) <= width) return text;
  if (width <= 0) return "";
  const letters = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
  const room = width - wide(DOTS);
  const tail =
    where === "end"
      ? ""
      : taken(letters.toReversed(), Math.ceil(room / 2))
          .reverse()
          .join("");
  return taken(letters, room - wide(tail)).join("") + DOTS + tail;
}

/** Returns the first letters that fit. */
function taken(letters: readonly string[], width: number): string[] {
  const out: string[] = [];
  let left = width;
  for (const letter of letters) {
    left -= wide(letter);
    if (left < 0) break;
    out.push(letter);
  }
  return out;
}

/** However narrow a terminal is, a line gets so much, and a word that is longer is broken. */
const LINE_LEAST = 8;

/**
 * Returns a text as lines that fit, each behind `indent`. Without a width it is one line. Blanks at its beginning stay.
 */
export function wrap(text: string, width: number | null, indent = ""): string[] {
  if (width === null || wide(indent + text) <= width) return [indent + text];
  const lead = indent + (/^ */.exec(text)?.[0] ?? "");
  return Bun.wrapAnsi(text.trimStart(), Math.max(width - wide(lead), LINE_LEAST), { hard: true })
    .split("\n")
    .map((line, n) => (n === 0 ? lead : indent) + line.trimEnd());
}

/**
 * Returns a sentence as lines that end between words, all but the first indented. A word that is longer than a line, as
 * a token is, stays whole, so that it can be copied.
 */
export function sentence(text: string, width: number | null): string[] {
  if (width === null || wide(text) <= width) return [text];
  const lead = /^ */.exec(text)?.[0] ?? "";
  const below = `${lead}    `;
  return Bun.wrapAnsi(text.slice(lead.length), Math.max(width - wide(below), LINE_LEAST), { hard: false })
    .split("\n")
    .map((line, n) => (n === 0 ? lead : below) + line.trimEnd());
}

/** Returns a text as lines that fit, all but the first behind `indent`. */
export function hang(text: string, width: number | null, indent: string): string[] {
  return wrap(text, width === null || wide(text) <= width ? null : width - wide(indent)).map((line, n) =>
    n === 0 ? line : indent + line,
  );
}
