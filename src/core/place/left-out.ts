// Which nodes have rejected the work of a demand, and for how long each is left out. The work is what a spec does under
// an account: what a node has said of it in one slot holds for all slots, and for all runs of the same spec. What an
// admin may is work of its own, since a node refuses accounts of the system to other people's tasks.

import type { State } from "../model/rows-state";
import type { LeftOut, RunRow, WorkloadRow } from "../model/rows-work";
import { mayBeSystem, type AccountFor } from "../model/account";
import type { Pass } from "../pass/pass";
import { stillSaid } from "../pass/slot";
import { formatAge, formatRest } from "../format";
import { SECOND_MS, type Ms } from "../units";
import { found, type Found } from "./found";
import { isFixed, listenOnOthers } from "./request-changes";
import type { TaskSpec } from "../model/workload";

/** What each node has said of each work, by the work's key and the node's id. */
export type Rejections = ReadonlyMap<string, ReadonlyMap<string, LeftOut>>;

const NONE: ReadonlyMap<string, LeftOut> = new Map();
const NEVER: readonly Ms[] = [];

type Owner = Pick<RunRow | WorkloadRow, "spec_hash" | "user">;

const workKey = (state: Pick<State, "users">, { spec_hash, user }: Owner, unix_user: string | null): string =>
  `${spec_hash} ${mayBeSystem(state, user) ? "admin" : "user"} ${unix_user ?? ""}`;

/** Returns everything that nodes have said and not renewed since. */
export function rejectionsOf({ state }: Pass): Rejections {
  const all = new Map<string, Map<string, LeftOut>>();
  for (const { owner_uid, avoid } of state.slots.values()) {
    if (avoid.length === 0) continue;
    const owner = state.runs.get(owner_uid) ?? state.workloads.get(owner_uid);
    for (const entry of avoid) {
      const node = state.nodes.get(entry.node_id);
      if (owner === undefined || node === undefined) continue;
      if (entry.version !== owner.version || !stillSaid(entry, node)) continue;
      const key = workKey(state, owner, entry.unix_user);
      const known = all.get(key) ?? new Map<string, LeftOut>();
      all.set(key, known);
      if ((known.get(node.id)?.until_ms ?? 0) < entry.until_ms) known.set(node.id, entry);
    }
  }
  return all;
}

/** Returns what nodes have said of this work, by the node's id. */
export const saidOf = (
  { state }: Pick<Pass, "state">,
  rejections: Rejections,
  owner: Owner,
  account: AccountFor,
): ReadonlyMap<string, LeftOut> =>
  // Mostly nobody has said anything, and this is asked for each of thousands that wait.
  account.is === "account" && rejections.size > 0
    ? (rejections.get(workKey(state, owner, account.name)) ?? NONE)
    : NONE;

/** Returns the nodes that are left out now, of those that have said something of the work. */
export function leftOutNow(
  said: ReadonlyMap<string, LeftOut>,
  { ports }: Pick<TaskSpec, "ports">,
  now_ms: Ms,
): ReadonlyMap<string, LeftOut> {
  if (said.size === 0) return NONE;
  // An automatic port that was taken is not given out again for a while, so the node is as good as before.
  const isAuto = !ports.some(isFixed);
  const out = [...said].filter(([, { until_ms, cause }]) => until_ms > now_ms && !(isAuto && cause === "port_taken"));
  return new Map(out.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const PREFIX = "could not start: ";

/** Returns the words of a rejection, without those that each of them begins with. */
export const whyRejected = ({ reason }: Pick<LeftOut, "reason">): string =>
  reason === null ? "it gave no reason" : reason.startsWith(PREFIX) ? reason.slice(PREFIX.length) : reason;

/** Returns why a node is left out. */
export function foundLeftOut(entry: LeftOut, { ports }: Pick<TaskSpec, "ports">, now_ms: Ms): Found {
  const why = whyRejected(entry);
  const age = formatAge(Math.max(0, now_ms - entry.at_ms));
  const detail = `${age} ago: ${why}; tried again in ${formatRest(entry.until_ms - now_ms)}`;
  const change = entry.cause === "port_taken" ? listenOnOthers(ports.filter(isFixed)) : null;
  return found("avoid", `could not start it: ${why}`, { detail, change });
}

/** Returns when the words about nodes that are left out are renewed: at growing intervals, and when one is back. */
export const renewedAt = (out: ReadonlyMap<string, LeftOut>, now_ms: Ms): readonly Ms[] =>
  out.size === 0
    ? NEVER
    : [...out.values()].flatMap(({ at_ms, until_ms }) => [
        until_ms,
        now_ms + Math.max(SECOND_MS, Math.ceil((now_ms - at_ms) / 4)),
      ]);
