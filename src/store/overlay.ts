// A map that consists of a base and a patch over it. A transaction reads its own writes through the map. When the
// transaction fails, the patch is dropped and the base is unchanged.

/** A read-only view of base and patch, and the only way to write into the patch. */
export interface Overlay<V> {
  readonly view: ReadonlyMap<string, V>;
  /** Sets a value; null removes the key. */
  set(key: string, value: V | null): void;
}

/** Lays an empty patch over `base`, which must not change while the overlay is in use. */
export function overlayOf<V>(base: ReadonlyMap<string, V>): Overlay<V> {
  const patch = new Map<string, V | null>();
  let size = base.size;

  const get = (key: string): V | undefined => {
    const patched = patch.get(key);
    return patched === undefined ? base.get(key) : (patched ?? undefined);
  };
  const has = (key: string): boolean => {
    const patched = patch.get(key);
    return patched === undefined ? base.has(key) : patched !== null;
  };
  function* entries(): MapIterator<[string, V]> {
    for (const entry of base) {
      const patched = patch.get(entry[0]);
      if (patched === undefined) yield entry;
      else if (patched !== null) yield [entry[0], patched];
    }
    for (const [key, value] of patch) if (value !== null && !base.has(key)) yield [key, value];
  }
  function* keys(): MapIterator<string> {
    for (const [key] of entries()) yield key;
  }
  function* values(): MapIterator<V> {
    for (const [, value] of entries()) yield value;
  }

  const view: ReadonlyMap<string, V> = {
    get,
    has,
    entries,
    keys,
    values,
    get size() {
      return size;
    },
    [Symbol.iterator]: entries,
    forEach(callback, self) {
      for (const [key, value] of entries()) callback.call(self, value, key, view);
    },
  };
  return {
    view,
    set(key, value) {
      const before = has(key);
      patch.set(key, value);
      size += (value === null ? 0 : 1) - (before ? 1 : 0);
    },
  };
}
