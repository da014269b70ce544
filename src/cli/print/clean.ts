// Makes text of a task or another user harmless for a terminal: no cursor moves, titles, clipboard writes or reversed
// text.

// Sequences that begin with ESC: CSI, the string sequences (OSC, DCS, SOS, PM, APC) up to their end, and short ones.
const SEQUENCE = new RegExp(
  [
    "\\x1b\\[[0-?]*[ -/]*[@-~]",
    "\\x1b[\\]PX^_][^\\x07\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c)",
    "\\x1b[ -/]*[0-OQ-WYZ\\\\`-~]",
  ].join("|"),
  "g",
);
// Control characters, the one-byte forms of C1, and the invisible marks that reverse text.
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const COLOUR = /^\x1b\[[0-9;:]*m$/;

/** Cleans a name, a reason or a table cell: one line without control characters. */
export function clean(text: string): string {
  return text
    .replace(SEQUENCE, "")
    .replace(/[\t\n\r]+/g, " ")
    .replace(CONTROL, "");
}

/** Cleans a text of several lines. Line breaks and tabs stay. */
export function cleanLines(text: string): string {
  return text.replace(SEQUENCE, "").replace(/\r\n?/g, "\n").replace(CONTROL, "");
}

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
