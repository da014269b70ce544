// What can never be, however empty the cluster is: rules of a workload that contradict each other, or ask for more
// nodes than there are. It is asked when somebody reads why a slot waits.

import { openRooms } from "../place/room";
import { noShapes, shapeOf, type Look } from "../place/shape";
import { createTogether, nameInApp, whyNeverTogether } from "../place/together";
import { tasksOf, type Demand, type Pass } from "../pass/pass";
import { isWanted } from "../model/task";

/** Returns why a demand can never be placed, in words, or null. What one node lacks by itself is told by its checks. */
export function whyNever(look: Look, demand: Demand): string | null {
  const { owner, spec } = demand;
  if (owner.app_uid === null || spec.members > 1) return null;
  return neverTogether(look, demand) ?? neverApart(look, demand) ?? tooFewNodes(look, demand);
}

// ---- company

/** The most followers of one slot that are tried. */
const MOST_FOLLOWERS = 64;

/** A slot and those that it follows; then also all the others that follow the same ones. */
function neverTogether({ pass }: Look, demand: Demand): string | null {
  const leaders = demand.spec.place.together_with.flatMap((name) => demandOf(pass, demand, name) ?? []);
  if (leaders.length === 0) return null;
  const never = whyNeverTogether(pass, [...leaders, demand]);
  const each = Math.min(...leaders.map(replicasOf));
  const followers = Math.min(MOST_FOLLOWERS, Math.ceil(replicasOf(demand) / Math.max(1, each)));
  if (never !== null || followers < 2) return never;
  const all = Array.from({ length: followers }, (_, slot) => ({ ...demand, slot }));
  if (whyNeverTogether(pass, [...leaders, ...all]) === null) return null;
  const names = leaders.map(nameInApp).join(" and ");
  return `no node has room for ${names} and the ${followers} replicas of ${nameInApp(demand)} that are to be there`;
}

const replicasOf = ({ owner }: Demand): number => ("run" in owner ? 1 : owner.settings.replicas);

/** Returns a slot of another workload of the app as it would be asked for on an empty cluster. */
function demandOf(pass: Pass, { owner }: Demand, name: string): Demand | null {
  const found = pass.state.workloads
    .values()
    .find((row) => row.app_uid === owner.app_uid && row.name === name && row.kind !== "job" && !row.removing);
  if (found === undefined || found.uid === owner.uid) return null;
  const spec = pass.snapshot.spec(found.spec_hash);
  const nothing = { slot: 0, slot_row: null, only: null, gives_up: [], stops_first: null, why: "" } as const;
  return { owner: found, kind: found.kind, spec, ...nothing };
}

// ---- apart

/** Two workloads that keep apart and can be on one and the same node only. */
function neverApart({ pass, shape }: Look, demand: Demand): string | null {
  for (const key of shape.apart) {
    if (key === shape.host_key) continue;
    const name = key.slice(key.lastIndexOf("/") + 1);
    const other = demandOf(pass, demand, name);
    if (other === null || other.kind === "daemon") continue;
    const nodes = new Set([...possibleFor(pass, demand), ...possibleFor(pass, other)]);
    const [only] = nodes;
    if (nodes.size === 1)
      return `${nameInApp(demand)} and ${nameInApp(other)} keep apart, and both can be on ${only} only`;
  }
  return null;
}

/** More slots that keep apart from each other, or publish one port, than nodes that could hold one. */
function tooFewNodes(look: Look, demand: Demand): string | null {
  const { pass, rooms, shape } = look;
  const { owner, spec } = demand;
  if ("run" in owner || owner.kind !== "service") return null;
  const replicas = owner.settings.replicas;
  const port = spec.ports.find(({ published }) => published !== null);
  const apart = shape.apart.includes(shape.host_key);
  if ((port === undefined && !apart) || replicas < 2) return null;
  const nodes = possibleFor(pass, demand);
  const placed = [...tasksOf(pass, owner.uid), ...rooms.placed.filter((task) => task.owner_uid === owner.uid)];
  if (nodes.length >= replicas || placed.filter(isWanted).length < nodes.length) return null;
  const where = `only ${nodes.length === 1 ? `${nodes[0]} could` : `${nodes.length} nodes could`} hold one`;
  const rule = apart ? "keep apart from each other" : `publish port ${port?.published} of their machine`;
  const name = nameInApp(demand);
  return `the ${replicas} replicas of ${name} ${rule}, and ${where}: orch scale ${name}=${nodes.length}`;
}

const possibleFor = (pass: Pass, demand: Demand): readonly string[] =>
  createTogether(pass).possible({
    looks: [{ pass, rooms: openRooms(pass), shape: shapeOf(pass, noShapes(), demand) }],
  });
