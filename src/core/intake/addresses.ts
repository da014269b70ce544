// The addresses of an app's running replicas, as a task finds them in its environment when it starts.

import { HOUSE_LIMITS } from "../limits";
import type { State } from "../model/rows-state";
import type { NodeRow } from "../model/rows-node";
import type { TaskRow } from "../model/rows-task";
import { isWanted } from "../model/task";
import { inVariable, type Variables } from "../model/variables";
import type { TaskSpec } from "../model/workload";

/**
 * Returns `ORCH_ADDR_<WORKLOAD>` for each workload of the task's app that has ports, and one more for each port where
 * there are several. A port on the loopback of its node is an address for tasks of that node alone.
 */
export function addressVariables(
  state: State,
  { app_uid }: Pick<TaskRow, "app_uid">,
  node: NodeRow,
  spec: (hash: string) => TaskSpec,
): Variables {
  if (app_uid === null) return {};
  const workloads = state.workloads
    .values()
    .filter((workload) => workload.app_uid === app_uid && !workload.removing)
    .map(({ uid, name, spec_hash }) => ({ uid, name, ports: spec(spec_hash).ports.map((port) => port.name) }))
    .filter(({ ports }) => ports.length > 0)
    .toArray();
  if (workloads.length === 0) return {};
  const up = state.tasks
    .values()
    .filter((task) => task.app_uid === app_uid && isWanted(task) && task.observed.state === "running")
    .toArray()
    .sort((a, b) => a.slot - b.slot || a.member - b.member);
  const byPort: Record<string, string> = {};
  const byWorkload: Record<string, string> = {};
  for (const { uid, name, ports } of workloads) {
    const own = up.filter(({ owner_uid }) => owner_uid === uid);
    const variable = `ORCH_ADDR_${inVariable(name)}`;
    byWorkload[variable] = addressesOf(state, node, own, ports[0] ?? "");
    if (ports.length === 1) continue;
    for (const port of ports) byPort[`${variable}_${inVariable(port)}`] = addressesOf(state, node, own, port);
  }
  // A workload `a-b` and the port `b` of a workload `a` have the same name. The workload's own is meant.
  return { ...byPort, ...byWorkload };
}

function addressesOf(state: State, here: NodeRow, tasks: readonly TaskRow[], name: string): string {
  const addresses = tasks.flatMap(({ node_id, promised }) => {
    const port = promised.ports.find((one) => one.name === name);
    const host =
      port?.bind === "loopback" ? loopbackOf(here, node_id) : (state.nodes.get(node_id)?.facts.address ?? null);
    return port === undefined || host === null ? [] : [`${host.includes(":") ? `[${host}]` : host}:${port.published}`];
  });
  return addresses.slice(0, HOUSE_LIMITS.addresses).join(",");
}

const loopbackOf = (here: NodeRow, node_id: string): string | null => (node_id === here.id ? "127.0.0.1" : null);
