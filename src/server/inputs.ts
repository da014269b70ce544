// What runs read from standard input, as files: each belongs to the person who uploaded it, is known by its hash, and
// stays as long as an open run of that person names it, and a while longer.

import { join } from "node:path";
import { HOUSE_LIMITS } from "../core/limits";
import { isFinal } from "../core/model/lifecycle";
import type { RunRow } from "../core/model/rows-work";
import type { InputRef } from "../core/model/workload";
import { formatBytes } from "../core/format";
import { HOUR_MS, MINUTE_MS, MIB, type Ms } from "../core/units";
import { exists, lookAt, makePrivateDir, namesIn, removeFile } from "../os/files/files";
import { freeBytes } from "../os/files/filesystem";
import { joinParts, readPart, writePart } from "../os/files/parts";
import { RefusedError } from "./refused";

export interface Inputs {
  /**
   * Takes the next part of a person's input, and returns how many bytes are here by now: whoever uploads goes on from
   * there. A part that is here already changes nothing. Throws RefusedError.
   */
  put(user: string, ref: InputRef, offset: number, part: Uint8Array): Promise<number>;
  /** Returns whether all of a person's input is here. It then stays for a while without a run. */
  has(user: string, ref: InputRef): boolean;
  /** Returns a part of the input of a run of this person, from an offset; null if it is here no more. */
  read(user: string, ref: InputRef, offset: number): Promise<Uint8Array | null>;
  /** Removes what no open run needs and nobody has used for an hour. */
  prune(): void;
}

export interface InputsOptions {
  readonly dir: string;
  readonly clock: () => Ms;
  /** The live runs. */
  readonly runs: () => Iterable<RunRow>;
}

interface Kept {
  /** Whose it is, as in the names of the files. */
  readonly owner: string;
  readonly bytes: number;
  received: number;
  whole: boolean;
  used_ms: Ms;
  /** Parts of one input are taken one after the other. */
  turn: Promise<unknown>;
}

/** How long an input stays that no open run needs: to be named by a run, or by the next one. */
const UNUSED_MS: Ms = HOUR_MS;
/** The same where there is no room for another one. */
const UNUSED_IN_NEED_MS: Ms = MINUTE_MS;
/** The most that one look removes, so that it does not hold up the server. */
const REMOVED_AT_ONCE = 200;
/** What an input leaves free of the disk, for the database. */
const SPARE_BYTES = 128 * MIB;
const ROOM_HINT = "Free space where the server keeps its data";
const PART = ".part";
const NAME = /^([0-9a-f]{32})-([0-9a-f]{64})$/;

/** A name of a person is no name of a file: what it may hold is not for this place to know. */
const ownerOf = (user: string): string => new Bun.CryptoHasher("sha256").update(user).digest("hex").slice(0, 32);
const nameOf = (owner: string, { sha256 }: Pick<InputRef, "sha256">): string => `${owner}-${sha256}`;

export function createInputs({ dir, clock, runs }: InputsOptions): Inputs {
  const kept = load(dir, clock());
  const pathOf = (name: string): string => join(dir, name);

  function remove(name: string): void {
    kept.delete(name);
    removeFile(pathOf(name));
    removeFile(pathOf(name + PART));
  }

  function prune(unused_ms: Ms): void {
    const now_ms = clock();
    const needed = new Set<string>();
    for (const { user, stdin, state } of kept.size === 0 ? [] : runs()) {
      if (stdin !== null && !isFinal(state)) needed.add(nameOf(ownerOf(user), stdin));
    }
    let removed = 0;
    for (const [name, one] of kept) {
      if (needed.has(name)) one.used_ms = now_ms;
      else if (now_ms - one.used_ms >= unused_ms && removed++ < REMOVED_AT_ONCE) remove(name);
    }
  }

  /** Makes room in the books for an input. Throws RefusedError if its owner, or all together, have too much. */
  function admit(user: string, ref: InputRef): Kept {
    const owner = ownerOf(user);
    if (whyFull(kept.values(), owner, user, ref) !== null) prune(UNUSED_IN_NEED_MS);
    const full = whyFull(kept.values(), owner, user, ref);
    if (full !== null)
      throw new RefusedError("too_many", full, "Wait until runs with an input are done, or cancel some");
    if (!exists(dir)) makePrivateDir(dir);
    if (freeBytes(dir) < ref.bytes + SPARE_BYTES) {
      throw new RefusedError(
        "storage_full",
        `the server has no room for ${formatBytes(ref.bytes)} of input`,
        ROOM_HINT,
      );
    }
    return { owner, bytes: ref.bytes, received: 0, whole: false, used_ms: clock(), turn: Promise.resolve() };
  }

  return {
    async put(user, ref, offset, part) {
      const name = nameOf(ownerOf(user), ref);
      const one = kept.get(name) ?? admit(user, ref);
      if (one.bytes !== ref.bytes) throw wrongBytes(ref);
      kept.set(name, one);
      const taken = one.turn.then(() => {
        one.used_ms = clock();
        if (kept.get(name) !== one) throw new RefusedError("conflict", "another upload of this input has failed", null);
        return take(pathOf(name), one, ref, { offset, part }, () => remove(name));
      });
      one.turn = Promise.allSettled([taken]);
      return taken;
    },
    has(user, ref) {
      const one = kept.get(nameOf(ownerOf(user), ref));
      if (one?.whole !== true || one.bytes !== ref.bytes) return false;
      one.used_ms = clock();
      return true;
    },
    read: (user, ref, offset) => readPart(pathOf(nameOf(ownerOf(user), ref)), offset, HOUSE_LIMITS.input_part_bytes),
    prune: () => prune(UNUSED_MS),
  };
}

/** Takes the next part of an input, and calls `remove` if it is of no use. Returns how many bytes are there. */
async function take(
  path: string,
  one: Kept,
  ref: InputRef,
  { offset, part }: { readonly offset: number; readonly part: Uint8Array },
  remove: () => void,
): Promise<number> {
  if (one.whole || offset !== one.received) return one.received;
  if (offset + part.length > one.bytes) throw wrongBytes(ref);
  try {
    await writePart(path + PART, offset, part);
    one.received += part.length;
    if (one.received < one.bytes) return one.received;
    one.whole = await joinParts(path + PART, path, ref);
  } catch (error) {
    remove();
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    throw new RefusedError("storage_full", "the server's disk is full", ROOM_HINT);
  }
  if (one.whole) return one.received;
  remove();
  throw wrongBytes(ref);
}

const wrongBytes = ({ sha256 }: InputRef): RefusedError =>
  new RefusedError("bad_request", `these are not the bytes of ${sha256.slice(0, 12)}…`, "Send them from the beginning");

/** Returns why there is no room for another input, or null. */
function whyFull(kept: Iterable<Kept>, owner: string, user: string, { bytes }: InputRef): string | null {
  const { inputs, inputs_each, inputs_sum_bytes, inputs_sum_each_bytes } = HOUSE_LIMITS;
  let [all, all_bytes, own, own_bytes] = [0, bytes, 0, bytes];
  for (const one of kept) {
    all += 1;
    all_bytes += one.bytes;
    if (one.owner !== owner) continue;
    own += 1;
    own_bytes += one.bytes;
  }
  if (own >= inputs_each) return `${user} has ${inputs_each} inputs of runs, no more are taken of one person`;
  if (own_bytes > inputs_sum_each_bytes)
    return `the inputs of ${user}'s runs take ${formatBytes(inputs_sum_each_bytes)}`;
  if (all >= inputs) return `there are ${inputs} inputs of runs, no more are taken`;
  return all_bytes > inputs_sum_bytes ? `the inputs of all runs take ${formatBytes(inputs_sum_bytes)}` : null;
}

/** Returns the inputs that are in a directory. What was on its way when the server ended is sent again. */
function load(dir: string, now_ms: Ms): Map<string, Kept> {
  const kept = new Map<string, Kept>();
  for (const name of namesIn(dir)) {
    const [, owner] = NAME.exec(name) ?? [];
    const bytes = lookAt(join(dir, name))?.size ?? 0;
    if (owner === undefined) removeFile(join(dir, name));
    else kept.set(name, { owner, bytes, received: bytes, whole: true, used_ms: now_ms, turn: Promise.resolve() });
  }
  return kept;
}
