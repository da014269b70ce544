// One node as `orch node show` prints it: its machine, its cards, its tests.

import { formatBytes } from "../../core/format";
import type { Ms } from "../../core/units";
import type { NodeView } from "../../wire/api/nodes";
import { block } from "./block";
import { paintState, type Style } from "./color";
import { outputs, testColumns, testsTitle } from "./node-tests";
import { taintText } from "./nodes";
import { table, type Column } from "./table";
import { age } from "./figures";

type Device = NodeView["devices"][number];

export interface NodePrint {
  readonly now_ms: Ms;
  readonly style: Style;
  readonly width: number | null;
}

export function nodeLines(node: NodeView, { now_ms, style, width }: NodePrint): string[] {
  const { devices, tests, testing, taints, limits, ...rest } = node;
  const held = limitWords(limits);
  const lines = block({ ...rest, limits: held, taints: taints.map(taintText), testing }, style);
  if (devices.length > 0) lines.push("", ...table(deviceColumns(now_ms, style), devices, width));
  if (tests !== null) {
    lines.push("", testsTitle(tests, now_ms, style));
    if (tests.results.length > 0) lines.push(...table(testColumns(style), tests.results, width));
    lines.push(...outputs(tests, style));
  }
  return lines;
}

/** Returns the limits in words: `devices: counted (bpf: error 1)`. A node without cards has no limit for them. */
const limitWords = (limits: NodeView["limits"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(limits ?? {}).flatMap(([name, limit]) =>
      limit === null ? [] : [[name, limit.why === null ? limit.is : `${limit.is} (${limit.why})`]],
    ),
  );

const deviceColumns = (now_ms: Ms, styled: Style): Column<Device>[] => [
  { title: "DEVICE", cell: ({ id }) => id },
  { title: "MODEL", cell: ({ model }) => model },
  { title: "MEMORY", align: "right", cell: ({ memory_bytes }) => formatBytes(memory_bytes) },
  {
    title: "STATE",
    cell: ({ state }) => state,
    paint: ({ state }, cell) => (state === "ok" ? styled.green(cell) : paintState(styled, "quarantined", cell)),
  },
  { title: "FOR", align: "right", cell: ({ state_ms }) => age(state_ms, now_ms) },
  { title: "TASKS", cell: ({ task_ids }) => task_ids.join(", ") },
  { title: "WHY", cell: ({ reason }) => reason ?? "" },
];
