// Task specs by their content: stored once, never changed, read through a bounded cache.

import type { Database } from "bun:sqlite";
import { canonicalJson } from "../core/canonical";
import { assert } from "../core/assert";
import type { TaskSpec } from "../core/model/workload";

/**
 * The cache holds two generations of this many specs. That is more than are live in a large cluster, so that a pass
 * rarely reads the database.
 */
const GENERATION = 8_192;

export interface Specs {
  /** Returns the hash of a spec's content: SHA-256 in hex. */
  hashOf(spec: TaskSpec): string;
  readonly get: (hash: string) => TaskSpec;
  readonly has: (hash: string) => boolean;
  /**
   * Holds a spec that the batch in the making is to store, until `settled`: the database cannot give it back before.
   * Returns true if the database does not have it yet.
   */
  add(hash: string, spec: TaskSpec): boolean;
  /** Ends the batch: the database has the specs that were added, or nobody names them. */
  settled(): void;
  /** Empties the cache, after rows were removed. */
  clear(): void;
}

export function specsOf(db: Database): Specs {
  const select = db.query<{ spec: string }, [string]>("select spec from specs where hash = ?");
  let young = new Map<string, TaskSpec>();
  let old = new Map<string, TaskSpec>();
  const unwritten = new Map<string, TaskSpec>();

  const remember = (hash: string, spec: TaskSpec): TaskSpec => {
    if (young.size >= GENERATION) {
      old = young;
      young = new Map();
    }
    young.set(hash, spec);
    return spec;
  };
  return {
    hashOf: (spec) => new Bun.CryptoHasher("sha256").update(canonicalJson(spec)).digest("hex"),
    get(hash) {
      const cached = young.get(hash) ?? unwritten.get(hash);
      if (cached !== undefined) return cached;
      const aged = old.get(hash);
      if (aged !== undefined) return remember(hash, aged);
      const row = select.get(hash);
      assert(row !== null, `no spec has the hash ${hash}`);
      return remember(hash, JSON.parse(row.spec) as TaskSpec);
    },
    has: (hash) => young.has(hash) || unwritten.has(hash) || old.has(hash) || select.get(hash) !== null,
    add(hash, spec) {
      if (select.get(hash) !== null) return false;
      unwritten.set(hash, spec);
      return true;
    },
    settled: () => unwritten.clear(),
    clear() {
      young = new Map();
      old = new Map();
    },
  };
}
