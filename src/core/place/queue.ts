// The order in which slots are given room: priority first, then daemons, services and runs, each in its own order.

import { compareText } from "../canonical";
import type { RunRow } from "../model/rows-work";
import { workloadNameOf, type Demand } from "../pass/pass";

const RANK = { daemon: 0, service: 1, job: 2 } as const;

/**
 * Sorts demands by priority, kind, and age or name. A workload that others want to be placed with comes before them.
 */
export function queue(demands: readonly Demand[]): Demand[] {
  const lifted = liftLeaders(demands);
  const priority = (demand: Demand): number =>
    lifted === null
      ? demand.owner.settings.priority
      : Math.max(demand.owner.settings.priority, lifted.priority.get(hostKeyOf(demand)) ?? Number.NEGATIVE_INFINITY);
  const depth = (demand: Demand): number => lifted?.depth.get(hostKeyOf(demand)) ?? 0;
  return [...demands].sort(
    (a, b) =>
      priority(b) - priority(a) || depth(a) - depth(b) || RANK[a.kind] - RANK[b.kind] || byAge(a, b) || byName(a, b),
  );
}

function byAge(a: Demand, b: Demand): number {
  return a.kind === "job" && b.kind === "job" ? (a.owner as RunRow).run - (b.owner as RunRow).run : 0;
}

function byName(a: Demand, b: Demand): number {
  return (
    compareText(a.owner.project, b.owner.project) ||
    compareText(a.owner.app ?? "", b.owner.app ?? "") ||
    compareText(a.owner.name, b.owner.name) ||
    // What is missing comes before what is to be replaced.
    Number(a.stops_first !== null) - Number(b.stops_first !== null) ||
    a.slot - b.slot ||
    compareText(a.owner.uid, b.owner.uid)
  );
}

/**
 * Returns the key by which `together_with`, `apart_from` and `spread` count tasks: the workload, or the run where there
 * is no workload.
 */
export const hostKey = (owner: { readonly app_uid: string | null }, owner_uid: string, workload: string): string =>
  owner.app_uid === null ? owner_uid : `${owner.app_uid}/${workload}`;

export const hostKeyOf = ({ owner }: Demand): string => hostKey(owner, owner.uid, workloadNameOf(owner));

interface Lifted {
  /**
   * By host key: the priority with which a workload counts at least. It is the highest among the workloads that follow
   * it, directly or through others.
   */
  readonly priority: ReadonlyMap<string, number>;
  /** By host key: the length of the longest chain of workloads that a workload follows. */
  readonly depth: ReadonlyMap<string, number>;
}

/** Chains of followers are examined up to this depth, which is also the depth of a circle. */
const DEPTH_LIMIT = 8;

/**
 * Returns the leaders' priorities: a leader is as urgent as its most urgent follower, and comes first. Null if nobody
 * follows anybody.
 */
function liftLeaders(demands: readonly Demand[]): Lifted | null {
  const followers = demands.filter(({ spec, owner }) => spec.place.together_with.length > 0 && owner.app_uid !== null);
  if (followers.length === 0) return null;
  let priority = new Map<string, number>();
  let depth = new Map<string, number>();
  const leadersOf = new Map<string, readonly string[]>();
  for (const { spec, owner } of followers) {
    const key = hostKey(owner, owner.uid, workloadNameOf(owner));
    const own = owner.settings.priority;
    priority.set(key, Math.max(priority.get(key) ?? own, own));
    const leaders = spec.place.together_with.map((name) => hostKey(owner, owner.uid, name));
    leadersOf.set(
      key,
      leaders.filter((leader) => leader !== key),
    );
  }
  for (let round = 0; round < DEPTH_LIMIT; round++) {
    const urgent = new Map(priority);
    const deeper = new Map<string, number>();
    for (const [key, leaders] of leadersOf) {
      const own = priority.get(key) ?? 0;
      for (const leader of leaders) urgent.set(leader, Math.max(urgent.get(leader) ?? own, own));
      deeper.set(key, 1 + Math.max(0, ...leaders.map((leader) => depth.get(leader) ?? 0)));
    }
    priority = urgent;
    depth = deeper;
  }
  return { priority, depth };
}
