// What decides where a demand fits. Demands of equal shape share one search and one answer.

import { accountFor, type AccountFor } from "../model/account";
import { digest128 } from "../fresh";
import { HOUSE_LIMITS } from "../limits";
import type { LeftOut } from "../model/rows-work";
import { leftOutNow, rejectionsOf, saidOf, type Rejections } from "./left-out";
import { against, needKey, needsOf, NO_NEEDS, partsOf, type Need, type Needs } from "../pass/presence";
import { type Demand, type Pass } from "../pass/pass";
import { apartOf, followersOf, ownTasks, togetherOf, type Relations } from "./relations";
import { hostKeyOf } from "./queue";
import type { Room, Rooms } from "./room";
import { hasDefaults, resolveRequest, type Resolved, type Spare } from "../model/resources";
import type { Failure, NamedChange } from "../pass/snapshot";
import type { Tried } from "../pass/tried";
import type { TaskSpec } from "../model/workload";

/** A candidate node and its score at the time of `stamp`. */
export interface Candidate {
  readonly room: Room;
  readonly score: number;
  readonly stamp: number;
}

/**
 * Whether no room is kept for demands that are alike, since no node would come to have it: `ever` by the ends of all
 * jobs there, `soon` by those of jobs that end soon.
 */
export interface NeverKept {
  ever: boolean;
  soon: boolean;
}

export const mayBeKept = (): NeverKept => ({ ever: false, soon: false });

export interface Shape {
  readonly spec: TaskSpec;
  /** Whether its tasks read something from standard input. */
  readonly has_stdin: boolean;
  /** Whether it is of an array, so that an agent has to run elements of it. */
  readonly is_array: boolean;
  /** The Unix account under which its tasks run, or why it has none. */
  readonly account: AccountFor;
  readonly host_key: string;
  /** Host keys of tasks that must not be on the node, not counting the slot's own tasks. */
  readonly apart: readonly string[];
  /** Host keys of tasks that want to be on the node where this one is. */
  readonly followers: readonly string[];
  /**
   * Host keys of tasks that must be on the node. `first`: the slot cannot go anywhere before one of these tasks is
   * placed.
   */
  readonly together: readonly { readonly key: string; readonly first: boolean }[];
  /** By node id, how many of the slot's own tasks are there. They do not count as company. Null if it has none. */
  readonly own: ReadonlyMap<string, number> | null;
  /** The nodes that are left out now, by id, since they rejected this work. */
  readonly left_out: ReadonlyMap<string, LeftOut>;
  /** What its tasks need to find on a node, where some node does not say that it has it. */
  readonly needs: Needs;
  /** The request, if it leaves nothing open; else null. */
  readonly resolved: Resolved | null;
  /** The candidates, the best first; null until the first search. */
  candidates: Candidate[] | null;
  /** How many entries of `rooms.touched` the candidates include. */
  seen: number;
  /** The text by which it is known from others. */
  readonly key: string;
  /** What earlier passes have searched for in vain; null where nothing is remembered. */
  readonly tried: Tried["failures"] | null;
  /** The failure key of the last search of this pass that failed; null if none has. */
  failed: string | null;
  readonly never_kept: NeverKept;
  /** Why it fits nowhere, by whom it is asked for where that matters; made when somebody reads it. */
  readonly told: Map<string, Told>;
}

/** What is told of demands that are alike. */
export interface Told {
  why: Failure | null;
  changes: readonly NamedChange[] | null;
}

export interface Shapes extends Relations {
  /**
   * Shapes of plain demands, by the relevant part of the spec and by account. Most demands are plain: nothing else
   * makes a difference to where they fit.
   */
  readonly plain: Map<string, Map<string, Shape>>;
  /** Shapes of runs that are in no app, by spec and by person. */
  readonly alone: Map<TaskSpec, Map<string, Shape>>;
  readonly byKey: Map<string, Shape>;
  /** What nodes have rejected; computed when the first shape is asked for. */
  rejections: Rejections | null;
  readonly tried: Tried["failures"] | null;
  /** Companions that this pass has tried, by the failure key of their party. */
  readonly parties: Map<string, PartyTrial>;
  /** What the demands so far need to find on nodes, by key, up to the bound on what nodes are asked. */
  readonly needs: Map<string, Need>;
  /** What nodes say against each of those, by key; empty where all have it. */
  readonly contested: Map<string, string>;
  /** Which nodes could hold which companions; made when the first ones find no room. */
  together: Together | null;
}

/** What is known of companions that are alike. */
export interface PartyTrial {
  /** The last pass that tried all nodes in vain; null for none. */
  readonly tried: number | null;
  /** How much had been placed when this pass tried them in vain; null if it has not. */
  failed_at: number | null;
  readonly never_kept: NeverKept;
}

/** Remembers for the pass which nodes could hold companions if nothing else ran there. */
export interface Together {
  possible(party: { readonly looks: readonly Look[] }): readonly string[];
}

/** `tried`: what earlier passes have tried in vain, for the rooms of the present pass alone. */
export const noShapes = (tried: Tried | null = null): Shapes => ({
  plain: new Map(),
  alone: new Map(),
  byKey: new Map(),
  related: null,
  rejections: null,
  tried: tried?.failures ?? null,
  parties: new Map(),
  needs: new Map(),
  contested: new Map(),
  together: null,
});

const specKeys = new WeakMap<TaskSpec, string>();

/** Returns a key of what matters in a spec for placing. Specs are immutable, so keys are kept. */
export function specKey(spec: TaskSpec): string {
  const known = specKeys.get(spec);
  if (known !== undefined) return known;
  const { request, origin, place, ports, members } = spec;
  const key = JSON.stringify([request, origin, place, ports, members]);
  specKeys.set(spec, key);
  return key;
}

const hasStdin = ({ owner }: Demand): boolean => "stdin" in owner && owner.stdin !== null;

const isArray = ({ owner }: Demand): boolean => "array" in owner && owner.array !== null;

/** Returns a key of what a demand itself asks of a node. */
const wantKey = (demand: Demand): string =>
  `${hasStdin(demand) ? "<" : ""}${isArray(demand) ? "[" : ""}${specKey(demand.spec)}`;

export const accountOf = (pass: Pass, demand: Pick<Demand, "owner" | "spec">): AccountFor =>
  accountFor(pass.state, demand.owner.user, demand.spec.unix_user);

/** Returns a text that is the same for equal accounts only. */
const accountKey = (account: AccountFor): string =>
  account.is === "account" ? `=${account.name}` : `!${account.user} ${account.why}`;

/** Returns the shape of a demand. Demands with the same conditions get the same object. */
export function shapeOf(pass: Pass, shapes: Shapes, demand: Demand): Shape {
  const { owner, spec } = demand;
  // A run in no app has no company, so one of the same person and the same spec has its shape.
  if (owner.app_uid !== null || hasStdin(demand) || isArray(demand)) return shapeIn(pass, shapes, demand);
  const byUser = shapes.alone.getOrInsertComputed(spec, () => new Map<string, Shape>());
  return byUser.getOrInsertComputed(owner.user, () => shapeIn(pass, shapes, demand));
}

function shapeIn(pass: Pass, shapes: Shapes, demand: Demand): Shape {
  const { spec } = demand;
  const account = accountOf(pass, demand);
  const said = saidOf(pass, (shapes.rejections ??= rejectionsOf(pass)), demand.owner, account);
  const out = leftOutNow(said, spec, pass.now_ms);
  const apart = apartOf(pass, shapes, demand);
  const needs = contestedNeeds(pass, shapes, demand, account);
  const followers = followersOf(pass, shapes, demand);
  const isPlain =
    apart.length === 0 &&
    followers.length === 0 &&
    spec.place.strategy === "pack" &&
    spec.place.together_with.length === 0 &&
    out.size === 0 &&
    needs === NO_NEEDS;
  const conditions = { account, apart, followers, out, needs };
  if (!isPlain) return shapeByKey(pass, shapes, demand, conditions);
  const wanted = wantKey(demand);
  let byAccount = shapes.plain.get(wanted);
  if (byAccount === undefined) shapes.plain.set(wanted, (byAccount = new Map()));
  const known = byAccount.get(accountKey(account));
  if (known !== undefined) return known;
  const shape = shapeByKey(pass, shapes, demand, conditions);
  byAccount.set(accountKey(account), shape);
  return shape;
}

interface Conditions {
  readonly account: AccountFor;
  readonly apart: readonly string[];
  /** Host keys of tasks that want to be on the node where this one is. */
  readonly followers: readonly string[];
  readonly out: Shape["left_out"];
  readonly needs: Needs;
}

/**
 * Returns what a demand needs to find, as far as some node does not say that it has it. What all nodes have makes no
 * difference to where a demand fits, and neither does what is beyond the bound: nobody is asked for that.
 */
function contestedNeeds(pass: Pass, shapes: Shapes, { spec }: Demand, account: AccountFor): Needs {
  const { presences } = pass.snapshot;
  if (presences === undefined || presences.size === 0) return NO_NEEDS;
  const needs = needsOf(spec, account);
  const kept = (need: Need | null): Need | null => (saidAgainst(pass, shapes, need) === "" ? null : need);
  const [own, environment, workdir] = [kept(needs.account), kept(needs.environment), kept(needs.workdir)];
  return own === null && environment === null && workdir === null ? NO_NEEDS : { account: own, environment, workdir };
}

/** Returns a text that changes with what nodes say against a need; empty if none says anything. */
function saidAgainst({ snapshot: { presences } }: Pass, { needs, contested }: Shapes, need: Need | null): string {
  if (need === null) return "";
  const key = needKey(need);
  const known = contested.get(key);
  if (known !== undefined) return known;
  if (needs.size >= HOUSE_LIMITS.needs) return "";
  needs.set(key, need);
  const said = [...(presences?.keys() ?? [])].flatMap((node_id) => {
    const state = against(presences, node_id, need);
    return state === null ? [] : [`${node_id} ${state}`];
  });
  const text = said.length === 0 ? "" : digest128(said.sort().join());
  contested.set(key, text);
  return text;
}

function shapeByKey(pass: Pass, shapes: Shapes, demand: Demand, conditions: Conditions): Shape {
  const { account, apart, followers, out, needs } = conditions;
  const { spec, owner, slot } = demand;
  const host_key = hostKeyOf(demand);
  const together = togetherOf(pass, demand);
  const own = apart.includes(host_key) ? ownTasks(pass, owner.uid, slot) : null;
  const key = JSON.stringify([
    wantKey(demand),
    accountKey(account),
    apart,
    together,
    [...out],
    own === null ? null : [owner.uid, slot],
    followers,
    needs,
    partsOf(needs).map((need) => saidAgainst(pass, shapes, need)),
    spec.place.strategy === "spread" ? host_key : null,
  ]);
  const known = shapes.byKey.get(key);
  if (known !== undefined) return known;
  const resolved = hasDefaults(spec.request) ? null : resolveRequest(spec.request, spec.origin, NOTHING);
  const shape: Shape = {
    spec,
    has_stdin: hasStdin(demand),
    is_array: isArray(demand),
    account,
    host_key,
    apart,
    followers,
    together,
    own,
    left_out: out,
    needs,
    resolved,
    candidates: null,
    seen: 0,
    key,
    tried: shapes.tried,
    failed: null,
    never_kept: mayBeKept(),
    told: new Map(),
  };
  shapes.byKey.set(key, shape);
  return shape;
}

/** A node without anything, for requests that do not depend on the node. */
const NOTHING: Spare = {
  capacity: { cpu_milli: 0, memory_bytes: 0 },
  free: { cpu_milli: 0, memory_bytes: 0 },
  daemons: { cpu_milli: 0, memory_bytes: 0 },
  coming: { cpu_milli: 0, memory_bytes: 0 },
  cards: 0,
  all_cards: 0,
  free_cards: 0,
};

export interface Look {
  readonly pass: Pass;
  readonly rooms: Rooms;
  readonly shape: Shape;
}
