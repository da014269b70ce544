// Finds the word that was probably meant by a wrong one, for "did you mean".

const LONGEST = 40;
/**
 * The most candidates. In a longer list a slip of one letter is unlikely to be found, and the bound limits the work.
 */
const CANDIDATES = 200;

/** Returns a cell of the table. A cell beyond the table's edge counts as far. */
const at = (row: readonly number[], i: number): number => row[i] ?? LONGEST;

/** Returns the edit distance, in which a swap of two neighbours counts once. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, at(before, j - 2) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return at(last, b.length);
}

/** Returns a word without the differences in spelling that people do not notice: case, dashes, underscores, spaces. */
export const bareKey = (word: string): string => word.toLowerCase().replaceAll(/[-_\s]/g, "");

/**
 * Returns the candidate that `word` most likely meant, or null. One edit in three letters is tolerated; case and dashes
 * do not count.
 */
export function nearest(word: string, candidates: readonly string[]): string | null {
  if (word.length === 0 || word.length > LONGEST) return null;
  let best: string | null = null;
  let best_distance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates.slice(0, CANDIDATES)) {
    if (candidate.length > LONGEST || Math.abs(candidate.length - word.length) > best_distance) continue;
    const d = distance(bareKey(word), bareKey(candidate));
    if (d < best_distance && d < candidate.length) [best, best_distance] = [candidate, d];
  }
  return best;
}

/** Returns the hint for a wrong word, or null if no candidate is near. */
export function didYouMean(word: string, candidates: readonly string[]): string | null {
  const found = nearest(word, candidates);
  return found === null ? null : `did you mean \`${found}\`?`;
}
