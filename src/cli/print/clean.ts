// Makes text harmless for a terminal: no cursor moves, titles, clipboard writes, reversed or invisible text. Everything
// that commands print goes through here, whoever wrote it; see also the rule of test/tidy that only a few files write.

// Sequences that begin with ESC: CSI, the string sequences (OSC, DCS, SOS, PM, APC) up to their end, and short ones.
const SEQUENCE = new RegExp(
  [
    "\\x1b\\[[0-?]*[ -/]*[@-~]",
    "\\x1b[\\]PX^_][^\\x07\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c)",
    "\\x1b[ -/]*[0-OQ-WYZ\\\\`-~]",
  ].join("|"),
  "g",
);
// Control characters, the one-byte forms of C1, the invisible marks that reverse text, and characters without width
// that make two names look alike. The joiners of emoji and of scripts stay.
const INVISIBLE = "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}";
const CONTROL = new RegExp(`[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f${INVISIBLE}]`, "gu");
const COLOUR = /^\x1b\[[0-9;:]*m$/;
/** The sequences that print/color.ts makes. */
const OWN_COLOUR = /\x1b\[(?:1|2|22|3[1236]|39)m/g;

/** Cleans a name, a reason or a table cell: one line without control characters. */
export function clean(text: string): string {
  return text
    .replace(SEQUENCE, "")
    .replace(/[\t\n\r]+/g, " ")
    .replace(CONTROL, "");
}

/** Cleans a text of several lines. Line breaks stay, and tabs become blanks. */
export function cleanLines(text: string): string {
  return text.replace(SEQUENCE, "").replace(/\r\n?/g, "\n").replaceAll("\t", "    ").replace(CONTROL, "");
}

/**
 * Cleans one line that may have colours of ours. What looks like one of ours in foreign text stays, and ends with the
 * line.
 */
export function cleanLine(line: string): string {
  const parts = line.split(OWN_COLOUR);
  const colours = line.match(OWN_COLOUR) ?? [];
  if (colours.length === 0) return clean(line);
  const text = parts.map((part, i) => clean(part) + (colours[i] ?? "")).join("");
  return text.endsWith("m") && /\x1b\[(?:22|39)m$/.test(text) ? text : `${text}\x1b[0m`;
}

/**
 * Writes a document as JSON. What JSON leaves as it is and a terminal might obey is escaped as well: it is the same
 * document.
 */
export const cleanJson = (document: unknown, indent: number): string =>
  JSON.stringify(document, null, indent).replace(JSON_LEAVES, (found) =>
    Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
  );
const JSON_LEAVES = new RegExp(`[\\x7f-\\x9f${INVISIBLE}]`, "gu");

// A sequence that is longer than this without an end is no sequence.
const PENDING_MAX = 512;

/**
 * Cleans a stream of a task's output for a terminal. Colours and carriage returns (progress bars) stay. Call the result
 * with chunk after chunk, then once with null for the rest.
 */
export function logCleaner(): (chunk: string | null) => string {
  let pending = "";
  let coloured = false;
  return (chunk) => {
    let text = pending + (chunk ?? "");
    pending = "";
    if (chunk !== null) {
      const open = unfinished(text);
      if (open !== null && text.length - open <= PENDING_MAX) [pending, text] = [text.slice(open), text.slice(0, open)];
    }
    const kept = text.split(SEQUENCE);
    const sequences = text.match(SEQUENCE) ?? [];
    let out = "";
    for (const [i, part] of kept.entries()) {
      out += part.replace(CONTROL, (control) => (control === "\r" ? "\r" : ""));
      const sequence = sequences[i];
      if (sequence !== undefined && COLOUR.test(sequence)) [out, coloured] = [out + sequence, true];
    }
    return chunk === null && coloured ? `${out}\x1b[0m` : out;
  };
}

/** Returns where a sequence begins that may end in the next chunk, or null. */
function unfinished(text: string): number | null {
  const at = text.lastIndexOf("\x1b");
  if (at < 0) return null;
  // The ESC of a string terminator belongs to the sequence before it.
  const start = text.slice(at) === "\x1b" && at > 0 ? Math.max(text.lastIndexOf("\x1b", at - 1), 0) : at;
  const from = /^\x1b[\]PX^_]/.test(text.slice(start)) ? start : at;
  return text.slice(from).replace(SEQUENCE, "").startsWith("\x1b") ? from : null;
}
