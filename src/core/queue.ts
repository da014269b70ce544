// The order in which slots are given room: priority first, then daemons, services and runs, each in an order of its own.

import type { RunRow } from "./model";
import { workloadNameOf, type Demand } from "./pass";

const RANK = { daemon: 0, service: 1, job: 2 } as const;

/** Sorts demands by priority, kind, and age or name; what others want to be placed with comes before them. */
export function queue(demands: readonly Demand[]): Demand[] {
  const lifted = liftLeaders(demands);
  const priority = (demand: Demand): number => lifted?.priority.get(hostKeyOf(demand)) ?? demand.owner.settings.priority;
  const depth = (demand: Demand): number => lifted?.depth.get(hostKeyOf(demand)) ?? 0;
  return [...demands].sort((a, b) =>
    priority(b) - priority(a) || depth(a) - depth(b) || RANK[a.kind] - RANK[b.kind] || byAge(a, b) || byName(a, b));
}

function byAge(a: Demand, b: Demand): number {
  return a.kind === "job" && b.kind === "job" ? (a.owner as RunRow).run - (b.owner as RunRow).run : 0;
}

function byName(a: Demand, b: Demand): number {
  return compare(a.owner.project, b.owner.project) || compare(a.owner.app ?? "", b.owner.app ?? "") ||
    compare(a.owner.name, b.owner.name) || a.slot - b.slot || compare(a.owner.uid, b.owner.uid);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What `together_with`, `apart_from` and `spread` count by: the workload, or the run where there is none. */
export const hostKey = (owner: { readonly app_uid: string | null }, owner_uid: string, workload: string): string =>
  owner.app_uid === null ? owner_uid : `${owner.app_uid}/${workload}`;

export const hostKeyOf = ({ owner }: Demand): string => hostKey(owner, owner.uid, workloadNameOf(owner));

interface Lifted {
  readonly priority: ReadonlyMap<string, number>;
  /** How many workloads a workload follows, one after the other. */
  readonly depth: ReadonlyMap<string, number>;
}

/** A leader is as urgent as its most urgent follower, and comes first; `null` when nobody follows anybody. */
function liftLeaders(demands: readonly Demand[]): Lifted | null {
  const followers = demands.filter(({ spec, owner }) => spec.place.together_with.length > 0 && owner.app_uid !== null);
  if (followers.length === 0) return null;
  const priority = new Map<string, number>();
  for (const demand of demands) priority.set(hostKeyOf(demand), demand.owner.settings.priority);
  const leadersOf = new Map(followers.map((demand) => [hostKeyOf(demand),
    demand.spec.place.together_with.map((name) => `${demand.owner.app_uid}/${name}`)]));
  const depth = new Map<string, number>();
  const visit = (key: string, urgency: number, trail: readonly string[]): number => {
    if (trail.includes(key)) return 0;
    priority.set(key, Math.max(urgency, priority.get(key) ?? urgency));
    const own = priority.get(key) ?? urgency;
    const below = (leadersOf.get(key) ?? []).map((leader) => 1 + visit(leader, own, [...trail, key]));
    const mine = Math.max(0, ...below);
    if (trail.length === 0) depth.set(key, mine);
    return mine;
  };
  for (const key of [...leadersOf.keys()].sort()) visit(key, priority.get(key) ?? 0, []);
  return { priority, depth };
}
