// Finds the word that was probably meant by a wrong one, for "did you mean".

const LONGEST = 40;
/**
 * The most candidates. In a longer list a slip of one letter is unlikely to be found, and the bound limits the work.
 */
const CANDIDATES = 200;

/** Three rows of the table of distances, reused, since a file may have thousands of wrong words. */
const ROWS = [new Uint8Array(LONGEST + 1), new Uint8Array(LONGEST + 1), new Uint8Array(LONGEST + 1)] as const;

/**
 * Returns the edit distance, in which a swap of two neighbours counts once, or `most` if it is not below that. Both
 * words have at most `LONGEST` letters.
 */
function distance(a: string, b: string, most: number): number {
  let [before, last, row]: [Uint8Array, Uint8Array, Uint8Array] = [...ROWS];
  for (let j = 0; j <= b.length; j++) last[j] = j;
  for (let i = 1; i <= a.length; i++) {
    row[0] = i;
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1);
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = a.charCodeAt(i - 1) === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === b.charCodeAt(j - 1);
      if (i > 1 && j > 1 && swapped) best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row[j] = best;
      least = Math.min(least, best);
    }
    // A later row is never smaller than two rows before it.
    if (least > most) return most;
    [before, last, row] = [last, row, before];
  }
  return last[b.length] ?? most;
}

/** Returns a word without the differences in spelling that people do not notice: case, dashes, underscores, spaces. */
export const bareKey = (word: string): string => word.toLowerCase().replaceAll(/[-_\s]/g, "");

/** The candidates are few and asked about again and again. */
const bares = new Map<string, string>();
const MOST_BARES = 2_000;

function bareOf(candidate: string): string {
  const known = bares.get(candidate);
  if (known !== undefined) return known;
  if (bares.size >= MOST_BARES) bares.clear();
  const bare = bareKey(candidate);
  bares.set(candidate, bare);
  return bare;
}

/**
 * Returns a function that suggests like `didYouMean`, and nothing any more after so many words. Only so many issues are
 * shown, and each suggestion costs a comparison with every candidate.
 */
export function suggester(most: number): (word: string, candidates: readonly string[]) => string | null {
  let left = most;
  return (word, candidates) => (left-- > 0 ? didYouMean(word, candidates) : null);
}

/**
 * Returns the candidate that `word` most likely meant, or null. One edit in three letters is tolerated; case and dashes
 * do not count.
 */
export function nearest(word: string, candidates: readonly string[]): string | null {
  if (word.length === 0 || word.length > LONGEST) return null;
  let best: string | null = null;
  let best_distance = Math.max(1, Math.floor(word.length / 3)) + 1;
  const bare = bareKey(word);
  for (const candidate of candidates.slice(0, CANDIDATES)) {
    if (candidate.length > LONGEST || Math.abs(candidate.length - word.length) > best_distance) continue;
    const d = distance(bare, bareOf(candidate), best_distance);
    if (d < best_distance && d < candidate.length) [best, best_distance] = [candidate, d];
  }
  return best;
}

/** Returns the hint for a wrong word, or null if no candidate is near. */
export function didYouMean(word: string, candidates: readonly string[]): string | null {
  const found = nearest(word, candidates);
  return found === null ? null : `did you mean \`${found}\`?`;
}
