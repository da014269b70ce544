// The difference of two texts as people read it: what goes, what comes, and a little of what stays around it.

export interface DiffPart {
  readonly is: "kept" | "gone" | "new" | "skipped";
  readonly text: string;
}

/** How many lines or words of what stays are shown around a change. */
const AROUND = 2;
/** The most pairs of lines that are compared. Longer texts are shown as gone and new as a whole. */
const PAIRS_MOST = 4_000_000;

/** Returns the difference of two texts, by lines if one of them has several, else by words. */
export function textDiff(before: string, after: string): DiffPart[] {
  const lines = [before, after].map((text) => text.split("\n"));
  const [old = [], now = []] = lines;
  if (old.length > 1 || now.length > 1) return around(linesOf(old, now));
  return wordDiff(before.split(" "), after.split(" "));
}

/** Two single lines: each with what differs, and some words around it. */
function wordDiff(old: readonly string[], now: readonly string[]): DiffPart[] {
  const { head, tail } = ends(old, now);
  const from = Math.max(0, head - AROUND);
  const shown = (words: readonly string[]): string => {
    const to = Math.min(words.length, words.length - tail + AROUND);
    return [...(from > 0 ? ["…"] : []), ...words.slice(from, to), ...(to < words.length ? ["…"] : [])].join(" ");
  };
  return [
    { is: "gone", text: shown(old) },
    { is: "new", text: shown(now) },
  ];
}

/** Returns how many items at the beginning and at the end are the same. */
function ends(old: readonly string[], now: readonly string[]): { readonly head: number; readonly tail: number } {
  const most = Math.min(old.length, now.length);
  let head = 0;
  while (head < most && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < most - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++;
  return { head, tail };
}

function linesOf(old: readonly string[], now: readonly string[]): DiffPart[] {
  const { head, tail } = ends(old, now);
  const parts = (is: DiffPart["is"], texts: readonly string[]): DiffPart[] => texts.map((text) => ({ is, text }));
  return [
    ...parts("kept", old.slice(0, head)),
    ...middle(old.slice(head, old.length - tail), now.slice(head, now.length - tail)),
    ...parts("kept", old.slice(old.length - tail)),
  ];
}

/** Compares lines by their longest common subsequence. */
function middle(old: readonly string[], now: readonly string[]): DiffPart[] {
  const isLong = old.length * now.length > PAIRS_MOST;
  // `common[i][j]`: how long the longest common subsequence of the rests from i and j is.
  const common = Array.from({ length: old.length + 1 }, () => new Uint32Array(isLong ? 0 : now.length + 1));
  if (!isLong) {
    for (let i = old.length - 1; i >= 0; i--) {
      const [row, next] = [common[i], common[i + 1]];
      if (row === undefined || next === undefined) continue;
      for (let j = now.length - 1; j >= 0; j--) {
        row[j] = old[i] === now[j] ? (next[j + 1] ?? 0) + 1 : Math.max(next[j] ?? 0, row[j + 1] ?? 0);
      }
    }
  }
  const out: DiffPart[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (!isLong && i < old.length && j < now.length && old[i] === now[j]) {
      out.push({ is: "kept", text: old[i] ?? "" });
      i++;
      j++;
    } else if (
      i < old.length &&
      (j >= now.length || isLong || (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))
    ) {
      out.push({ is: "gone", text: old[i++] ?? "" });
    } else {
      out.push({ is: "new", text: now[j++] ?? "" });
    }
  }
  return out;
}

/** Leaves out what stays, except the lines next to a change. */
function around(parts: readonly DiffPart[]): DiffPart[] {
  const isNear = (at: number): boolean =>
    parts.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ is }) => is !== "kept");
  const out: DiffPart[] = [];
  let skipped = 0;
  const skip = (): void => {
    if (skipped > 0) out.push({ is: "skipped", text: `${skipped} ${skipped === 1 ? "line" : "lines"} as before` });
    skipped = 0;
  };
  for (const [at, part] of parts.entries()) {
    if (isNear(at)) {
      skip();
      out.push(part);
    } else skipped++;
  }
  skip();
  return out;
}
