// Task specs by their content: stored once, never changed, read through a bounded cache.

import type { Database } from "bun:sqlite";
import { canonicalJson } from "../core/canonical";
import { assert } from "../core/assert";
import type { TaskSpec } from "../core/model/workload";

/** Two generations of this many specs are held; more than are live in a large cluster, so a pass never thrashes. */
const GENERATION = 8_192;

export interface Specs {
  /** The hash of a spec's content, SHA-256 in hex. */
  hashOf(spec: TaskSpec): string;
  readonly get: (hash: string) => TaskSpec;
  /** Makes a spec readable that is about to be stored; `true` when the database does not have it yet. */
  add(hash: string, spec: TaskSpec): boolean;
  /** Forgets everything cached, after rows were removed. */
  clear(): void;
}

export function specsOf(db: Database): Specs {
  const select = db.query<{ spec: string }, [string]>("select spec from specs where hash = ?");
  let young = new Map<string, TaskSpec>();
  let old = new Map<string, TaskSpec>();

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
      const cached = young.get(hash);
      if (cached !== undefined) return cached;
      const aged = old.get(hash);
      if (aged !== undefined) return remember(hash, aged);
      const row = select.get(hash);
      assert(row !== null, `no spec has the hash ${hash}`);
      return remember(hash, JSON.parse(row.spec) as TaskSpec);
    },
    add(hash, spec) {
      remember(hash, spec);
      return select.get(hash) === null;
    },
    clear() {
      young = new Map();
      old = new Map();
    },
  };
}
