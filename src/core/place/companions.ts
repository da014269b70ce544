// Slots that want to be on one node: a leader and those that follow it (`together_with`). They are placed as a whole,
// on a node that has room for all of them, so that a leader never goes where its followers do not fit.

import { hostKey, hostKeyOf } from "./queue";
import { slotsOf } from "../model/slots";
import type { Demand } from "../pass/pass";

/** Slots that are to be placed on one node, leaders first. */
export interface Companions {
  readonly demands: readonly Demand[];
  /** The host keys of their workloads. */
  readonly keys: ReadonlySet<string>;
}

/**
 * Returns the companions of each demand that has any. A follower's first slot belongs to the leader's first, the
 * second to the second, counted around where the leader has fewer slots. A leader's slot that has a task already is no
 * demand: its followers go where it is. Gangs, daemons and slots that move from one node to another are placed by
 * themselves.
 */
export function companionsOf(demands: readonly Demand[]): ReadonlyMap<Demand, Companions> {
  const followers = demands.filter((demand) => isLoose(demand) && demand.spec.place.together_with.length > 0);
  if (followers.length === 0) return new Map();
  const byKey = new Map<string, Map<number, Demand>>();
  for (const demand of demands) {
    if (!isLoose(demand)) continue;
    const key = hostKeyOf(demand);
    const slots = byKey.get(key) ?? new Map<number, Demand>();
    byKey.set(key, slots.set(demand.slot, demand));
  }
  const parties = new Parties();
  for (const follower of followers) {
    const { owner, slot, spec } = follower;
    for (const name of spec.place.together_with) {
      const slots = byKey.get(hostKey(owner, owner.uid, name));
      const leader = slots?.get(leadersSlot(slots, slotsIn(owner).indexOf(slot)));
      if (leader !== undefined && leader !== follower) parties.join(leader, follower);
    }
  }
  return parties.all(demands);
}

const isLoose = ({ owner, kind, spec, only, stops_first }: Demand): boolean =>
  owner.app_uid !== null && kind !== "daemon" && spec.members === 1 && only === null && stops_first === null;

const slotsIn = (owner: Demand["owner"]): readonly number[] => ("run" in owner ? [0] : slotsOf(owner));

/** Returns the slot of a leader to which the `nth` slot of a follower belongs. */
function leadersSlot(demands: ReadonlyMap<number, Demand>, nth: number): number {
  const [first] = demands.values();
  const slots = first === undefined ? [] : slotsIn(first.owner);
  return slots[Math.max(0, nth) % Math.max(1, slots.length)] ?? 0;
}

/** Sets of demands that grow together. */
class Parties {
  readonly #of = new Map<Demand, Set<Demand>>();

  join(one: Demand, other: Demand): void {
    const [larger, smaller] = [this.#party(one), this.#party(other)].sort((a, b) => b.size - a.size);
    if (larger === undefined || smaller === undefined || larger === smaller) return;
    for (const each of smaller) this.#of.set(each, larger.add(each));
  }

  #party(demand: Demand): Set<Demand> {
    return this.#of.getOrInsertComputed(demand, () => new Set([demand]));
  }

  /** Returns the parties, each in the order of `demands`. */
  all(demands: readonly Demand[]): ReadonlyMap<Demand, Companions> {
    const made = new Map<Set<Demand>, Demand[]>();
    for (const demand of demands) {
      const party = this.#of.get(demand);
      if (party !== undefined) made.getOrInsertComputed(party, () => []).push(demand);
    }
    const all = new Map<Demand, Companions>();
    for (const party of made.values()) {
      const companions = { demands: party, keys: new Set(party.map(hostKeyOf)) };
      for (const demand of party) all.set(demand, companions);
    }
    return all;
  }
}
