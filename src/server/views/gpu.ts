// Cards as `orch gpus` shows them: what is promised and what the card itself reports, side by side.

import type { NodeDevice, Reading } from "../../core/model/device";
import type { State } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import type { NodeRow } from "../../core/model/rows-node";
import type { Promised } from "../../core/model/promised";
import { fullName, shortId, taskName } from "../../core/model/task";
import type { GpuView } from "../../wire/api/devices";
import { shownState } from "./node";

type PromiseView = GpuView["promised"][number];

/**
 * Returns the views of one node's cards. `tasks` are the node's living tasks, `readings` the newest readings of its
 * cards.
 */
export function gpuViews(
  node: NodeRow,
  tasks: readonly TaskRow[],
  readings: ReadonlyMap<string, Reading>,
  state: State,
): GpuView[] {
  const node_state = shownState(node, tasks.length);
  return node.devices.map((device) => {
    const promised = promisesOn(device.id, node, tasks);
    const { foreign, foreign_bytes, links, numa_node, compute_mode } = device;
    const { id, vendor, model, memory_bytes, state: device_state, reason, state_ms } = device;
    const { index, pci, driver, parent, ecc } = device;
    return {
      id,
      vendor,
      model,
      memory_bytes,
      state: device_state,
      reason,
      task_ids: promised.map(({ task_id }) => task_id),
      state_ms,
      node: node.name,
      node_state,
      index,
      pci,
      numa_node,
      driver,
      parent,
      links: links.map((link) => ({ ...link })),
      compute_mode,
      ecc,
      promised,
      promised_bytes: promisedBytes(device, promised),
      foreign_bytes,
      foreign,
      reading: readingView(readings.get(id), node, state),
    };
  });
}

function promisesOn(id: string, node: NodeRow, tasks: readonly TaskRow[]): PromiseView[] {
  const held = (promised: Promised | null, who: Omit<PromiseView, "memory_bytes">): PromiseView[] =>
    (promised?.devices ?? [])
      .filter((device) => device.id === id)
      .map(({ bytes }) => ({ ...who, memory_bytes: bytes }));
  return [
    ...tasks.flatMap((task) =>
      held(task.promised, { task_id: shortId(task.uid), task: taskName(task), title: fullName(task), user: task.user }),
    ),
    ...node.orphans.flatMap((orphan) =>
      held(orphan.held, { task_id: shortId(orphan.uid), task: orphan.name, title: orphan.name, user: null }),
    ),
  ];
}

const promisedBytes = ({ memory_bytes }: NodeDevice, promised: readonly PromiseView[]): number =>
  promised.reduce((sum, one) => sum + (one.memory_bytes ?? memory_bytes), 0);

function readingView(reading: Reading | undefined, node: NodeRow, state: State): GpuView["reading"] {
  if (reading === undefined) return null;
  const { id: _id, processes, stale, age_ms, ...values } = reading;
  return {
    ...values,
    age_ms: Math.round(age_ms),
    // A node that is not connected sends no newer readings.
    stale: stale || node.contact !== "connected",
    processes: processes.map(({ pid, user, command, memory_bytes, task_uid }) => ({
      pid,
      user,
      command,
      memory_bytes,
      foreign: task_uid === null,
      task_id: task_uid === null ? null : shortId(task_uid),
      ...namesOf(task_uid, node, state),
    })),
  };
}

function namesOf(
  uid: string | null,
  { orphans }: NodeRow,
  { tasks }: State,
): { readonly task: string | null; readonly title: string | null } {
  const task = uid === null ? undefined : tasks.get(uid);
  if (task !== undefined) return { task: taskName(task), title: fullName(task) };
  const orphan = orphans.find((one) => one.uid === uid)?.name ?? null;
  return { task: orphan, title: orphan };
}
