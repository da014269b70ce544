// Long lists come in pages: this reads them to their end, or to a bound.

/** Enough for a cluster of this size; a longer list is cut, and says so by its `next`. */
const MOST = 20_000;

export interface Paged<T> {
  readonly items: T[];
  /** Where it was cut; null: it is whole. */
  readonly next: string | null;
}

/** Reads pages until there are no more, or `most` items. */
export async function readPages<T>(
  page: (next: string | undefined) => Promise<{ readonly items: readonly T[]; readonly next: string | null }>,
  most = MOST,
): Promise<Paged<T>> {
  const items: T[] = [];
  let next: string | undefined;
  for (;;) {
    const read = await page(next);
    items.push(...read.items);
    if (read.next === null || read.items.length === 0) return { items: items.slice(0, most), next: null };
    if (items.length >= most) return { items: items.slice(0, most), next: read.next };
    next = read.next;
  }
}
