// What hangs without being dead: a machine's disk, its keeper, or the guard of its leases, each together with the
// agent. One of the enforcers of a lease goes on.

import { isTheOnlyOne, quietFor } from "./alone";
import type { Machine, Process } from "./machine";
import type { World } from "./world";

/** Which of the three hang. The agent hangs with each. The keeper still signals while its disk hangs. */
const WAYS = [["disk"], ["disk", "guard"], ["disk", "keeper"], ["keeper"], ["guard"]] as const;

/** Longer than the lease and the margin of simulated servers. */
const LONG_ENOUGH_MS = 80_000;

/** Lets a machine hang for so long that its exclusive tasks are replaced elsewhere. */
export function hangs(world: World): void {
  const { workloads } = world.database.state;
  const isReplaced = ({ assignment: { identity, lease_ms } }: Process): boolean =>
    lease_ms !== null && workloads.get(identity.owner_uid)?.settings.on_node_loss === "replace";
  const holds = (machine: Machine): boolean => [...machine.processes.values()].some(isReplaced);
  const holders = world.machines.filter(holds);
  if (holders.length === 0) return;
  const machine = world.dice.troubles.pick(holders);
  const agent = world.agents.get(machine.id);
  if (agent === undefined || agent.owner.state !== "running" || !isTheOnlyOne(world, machine.id)) return;
  const way = world.dice.troubles.pick(WAYS);
  const lasts_ms = quietFor(world, LONG_ENOUGH_MS);
  world.trace.note(`${machine.id} hangs: agent, ${way.join(", ")}`);
  for (const each of way) machine.hangs[each] = world.schedule.now_ms + lasts_ms;
  agent.owner.state = "paused";
  world.schedule.in(lasts_ms, () => world.host.wake(agent.owner));
}
