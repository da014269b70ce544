// Task specs by their content: stored once, never changed, read through a bounded cache.

import type { Database } from "bun:sqlite";
import { canonicalJson } from "../core/canonical";
import { assert } from "../core/assert";
import type { TaskSpec } from "../core/model/workload";
import { HOUSE_LIMITS } from "../core/limits";
import { type Bytes, MIB } from "../core/units";

/**
 * The cache holds two generations of this many bytes. That is more specs than are live in a large cluster, so that a
 * pass rarely reads the database.
 */
const GENERATION_BYTES: Bytes = 64 * MIB;

/** What a cached spec takes beside its texts. */
const OVERHEAD_BYTES: Bytes = 1_536;

/**
 * A spec whose JSON is longer is cached without its command and environment. Both may be large, and only whoever starts
 * or shows a task reads them.
 */
const WHOLE_CHARS = 2_048;

/** That many specs are remembered by their members: twice as many as are named by open work. */
const MEMBERS_MAX = 2 * HOUSE_LIMITS.open;

export interface Specs {
  /** Returns the hash of a spec's content: SHA-256 in hex. */
  hashOf(spec: TaskSpec): string;
  readonly get: (hash: string) => TaskSpec;
  readonly has: (hash: string) => boolean;
  /** Returns the `members` of a spec, without reading the spec again where it was read before. */
  readonly members: (hash: string) => number;
  /**
   * Holds a spec that the batch in the making is to store, until `settled`: the database cannot give it back before.
   * Returns true if the database does not have it yet.
   */
  add(hash: string, spec: TaskSpec): boolean;
  /** Ends the batch: the database has the specs that were added, or nobody names them. */
  settled(): void;
  /** Forgets a spec whose row was removed. */
  drop(hash: string): void;
}

interface Cached {
  readonly spec: TaskSpec;
  readonly bytes: Bytes;
}

export function specsOf(db: Database): Specs {
  const select = db.query<{ spec: string }, [string]>("select spec from specs where hash = ?");
  const cache = cacheOf();
  const unwritten = new Map<string, TaskSpec>();
  /** The large spec that was read last: a service's tasks are started one after the other, from one spec. */
  let last: { readonly hash: string; readonly whole: TaskSpec } | null = null;
  const members = new Map<string, number>();
  const noteMembers = (hash: string, count: number): number => {
    if (members.size >= MEMBERS_MAX) members.clear();
    members.set(hash, count);
    return count;
  };

  const stored = (hash: string): string => {
    const row = select.get(hash);
    assert(row !== null, `no spec has the hash ${hash}`);
    return row.spec;
  };
  const read = (hash: string): Cached => {
    const text = stored(hash);
    const whole = JSON.parse(text) as TaskSpec;
    noteMembers(hash, whole.members);
    if (text.length <= WHOLE_CHARS) return { spec: whole, bytes: OVERHEAD_BYTES + text.length };
    const { command: _command, env: _env, ...rest } = whole;
    last = { hash, whole };
    const again = (): TaskSpec => {
      if (last?.hash !== hash) last = { hash, whole: JSON.parse(stored(hash)) as TaskSpec };
      return last.whole;
    };
    const spec: TaskSpec = {
      ...rest,
      get command() {
        return again().command;
      },
      get env() {
        return again().env;
      },
    };
    return { spec, bytes: OVERHEAD_BYTES + JSON.stringify(rest).length };
  };
  const get = (hash: string): TaskSpec => cache.get(hash) ?? unwritten.get(hash) ?? cache.put(hash, read(hash));
  return {
    hashOf: (spec) => new Bun.CryptoHasher("sha256").update(canonicalJson(spec)).digest("hex"),
    get,
    members: (hash) => members.get(hash) ?? noteMembers(hash, get(hash).members),
    has: (hash) => cache.get(hash) !== null || unwritten.has(hash) || select.get(hash) !== null,
    add(hash, spec) {
      if (select.get(hash) !== null) return false;
      unwritten.set(hash, spec);
      return true;
    },
    settled: () => unwritten.clear(),
    drop(hash) {
      cache.drop(hash);
      if (last?.hash === hash) last = null;
      members.delete(hash);
    },
  };
}

interface SpecCache {
  readonly get: (hash: string) => TaskSpec | null;
  readonly put: (hash: string, cached: Cached) => TaskSpec;
  readonly drop: (hash: string) => void;
}

/** Keeps what was used last: what nobody has asked for during a whole generation is dropped. */
function cacheOf(): SpecCache {
  let young = new Map<string, Cached>();
  let old = new Map<string, Cached>();
  let bytes: Bytes = 0;

  const put = (hash: string, cached: Cached): TaskSpec => {
    if (bytes + cached.bytes > GENERATION_BYTES) {
      old = young;
      young = new Map();
      bytes = 0;
    }
    young.set(hash, cached);
    bytes += cached.bytes;
    return cached.spec;
  };
  return {
    get(hash) {
      const found = young.get(hash);
      if (found !== undefined) return found.spec;
      const aged = old.get(hash);
      return aged === undefined ? null : put(hash, aged);
    },
    put,
    drop(hash) {
      bytes -= young.get(hash)?.bytes ?? 0;
      young.delete(hash);
      old.delete(hash);
    },
  };
}
