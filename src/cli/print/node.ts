// One node as `orch node show` prints it: its machine, its cards, its tests.

import { formatBytes } from "../../core/format";
import { tooMuch } from "../../core/nodes/too-much";
import type { Ms } from "../../core/units";
import type { NodeView } from "../../wire/api/nodes";
import { block } from "./block";
import { paintState, type Style } from "./color";
import { outputs, testColumns, testsTitle } from "./node-tests";
import { taintText } from "./nodes";
import { table, type Column } from "./table";
import { age } from "./figures";
import { hang } from "./wrap";

type Device = NodeView["devices"][number];

export interface NodePrint {
  readonly now_ms: Ms;
  readonly style: Style;
  readonly width: number | null;
}

export function nodeLines(node: NodeView, { now_ms, style, width }: NodePrint): string[] {
  const { devices, tests, testing, taints, limits, orphans: _orphans, foreign_tasks: _foreign, ...rest } = node;
  const unknown = orphanRows(node);
  const held = limitWords(limits);
  const { cores, memory_bytes } = node.facts;
  const has = { cores: numberOf(cores), memory_bytes: numberOf(memory_bytes) };
  const warning = tooMuch(node.capacity, has).join("; ");
  const lines = block({ ...rest, warning, limits: held, taints: taints.map(taintText), testing }, style, width);
  if (unknown.length > 0) {
    const count = unknown.length === 1 ? "1 task lives" : `${unknown.length} tasks live`;
    const title = `orphans: ${count} here unknown to the server`;
    lines.push("", title, ...table(orphanColumns(now_ms), unknown, width));
  }
  if (devices.length > 0) lines.push("", ...table(deviceColumns(now_ms, style), devices, width));
  if (tests !== null) {
    lines.push("", ...hang(testsTitle(tests, now_ms, style), width, "  "));
    if (tests.results.length > 0) lines.push(...table(testColumns(style), tests.results, width));
    lines.push(...outputs(tests, style));
  }
  return lines;
}

const numberOf = (fact: string | number | null | undefined): number | null => (typeof fact === "number" ? fact : null);

/** A living task on a node that no app of the cluster has: one without a record, or one of a removed agent. */
export interface OrphanRow {
  readonly name: string;
  readonly pid: number | null;
  readonly data: string | null;
  readonly since_ms: Ms | null;
  readonly memory_bytes: number | null;
  /** How a person ends it. */
  readonly stop: string;
}

export function orphanRows({ name: node, orphans, foreign_tasks }: NodeView): OrphanRow[] {
  const unknown = { data: null, since_ms: null, memory_bytes: null };
  return [
    ...orphans.map(({ id, name, pid }) => ({ ...unknown, name, pid, stop: `orch stop ${node}/${id}` })),
    ...foreign_tasks.map((task) => ({ ...task, stop: `on ${node}: kill -- -${task.pid}` })),
  ];
}

export const orphanColumns = (now_ms: Ms): Column<OrphanRow>[] => [
  { title: "TASK", cut: "middle", gives: [[2, 24]], cell: ({ name }) => name },
  { title: "PID", align: "right", cell: ({ pid }) => (pid === null ? "" : String(pid)) },
  { title: "FOR", align: "right", cell: ({ since_ms }) => (since_ms === null ? "" : age(since_ms, now_ms)) },
  {
    title: "MEM",
    align: "right",
    cell: ({ memory_bytes }) => (memory_bytes === null ? "" : formatBytes(memory_bytes)),
  },
  {
    title: "OF",
    gives: [[1, "below"]],
    cell: ({ data }) => (data === null ? "this node's agent" : `a removed agent (${data})`),
  },
  { title: "TO END IT", prose: true, cell: ({ stop }) => stop },
];

/** Returns the limits in words: `devices: counted (bpf: error 1)`. A node without cards has no limit for them. */
const limitWords = (limits: NodeView["limits"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(limits ?? {}).flatMap(([name, limit]) =>
      limit === null ? [] : [[name, limit.why === null ? limit.is : `${limit.is} (${limit.why})`]],
    ),
  );

const deviceColumns = (now_ms: Ms, styled: Style): Column<Device>[] => [
  { title: "DEVICE", gives: [[4, 18]], cell: ({ id }) => id },
  {
    title: "MODEL",
    gives: [
      [2, 20],
      [3, 10],
    ],
    cell: ({ model }) => model,
  },
  { title: "MEMORY", align: "right", cell: ({ memory_bytes }) => formatBytes(memory_bytes) },
  {
    title: "STATE",
    cell: ({ state }) => state,
    paint: ({ state }, cell) => (state === "ok" ? styled.green(cell) : paintState(styled, "quarantined", cell)),
  },
  { title: "FOR", align: "right", cell: ({ state_ms }) => age(state_ms, now_ms) },
  { title: "TASKS", gives: [[1, "below"]], cell: ({ task_ids }) => task_ids.join(", ") },
  { title: "WHY", prose: true, cell: ({ reason }) => reason ?? "" },
];
