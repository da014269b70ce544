// Nodes as `orch nodes` shows them.

import type { Ms } from "../../core/units";
import type { NodeView } from "../../wire/api/nodes";
import { paintState, type Style } from "./color";
import { age, cores, share } from "./figures";
import { shortModel } from "./gpus";
import type { Column } from "./table";

/**
 * Returns the cards per model: `2/4 A100 (1 dirty)` means that tasks hold two of four. A card that is cut into parts
 * counts as its parts.
 */
function gpus({ devices }: NodeView): string {
  const split = new Set(devices.map(({ parent }) => parent));
  const models = Map.groupBy(
    devices.filter(({ id }) => !split.has(id)),
    ({ model }) => shortModel(model),
  );
  return [...models]
    .map(([model, cards]) => {
      const held = cards.filter(({ task_ids }) => task_ids.length > 0).length;
      const bad = [...Map.groupBy(cards, ({ state }) => state)].filter(([state]) => state !== "ok");
      const trouble = bad.map(([state, those]) => `${those.length} ${state}`).join(", ");
      return `${held}/${cards.length} ${model}${trouble === "" ? "" : ` (${trouble})`}`;
    })
    .join(", ");
}

export const taintText = ({ key, value, effect }: NodeView["taints"][number]): string =>
  `${key}${value === "" ? "" : `=${value}`}:${effect}`;

/** Returns the columns of the table of nodes. `tasks` counts the living tasks by the node's name. */
export function nodeColumns(now_ms: Ms, tasks: ReadonlyMap<string, number>, styled: Style): Column<NodeView>[] {
  return [
    { title: "NAME", cut: "middle", gives: [[5, 20]], cell: (node) => node.name },
    { title: "STATE", cell: (node) => node.state, paint: (node, cell) => paintState(styled, node.state, cell) },
    {
      title: "POOL",
      gives: [
        [3, 8],
        [6, 0],
      ],
      cell: (node) => node.pool,
    },
    {
      title: "CPU",
      align: "right",
      cell: ({ reserved, capacity }) => `${cores(reserved.cpu_milli)}/${cores(capacity.cpu_milli)}`,
    },
    {
      title: "MEM",
      align: "right",
      cell: ({ reserved, capacity }) => share(reserved.memory_bytes, capacity.memory_bytes),
    },
    {
      title: "GPUS",
      gives: [
        [2, 28],
        [4, 16],
      ],
      cell: gpus,
    },
    { title: "TASKS", align: "right", cell: (node) => String(tasks.get(node.name) ?? 0) },
    {
      title: "SEEN",
      align: "right",
      gives: [[1, "below"]],
      cell: (node) => (isAway(node) ? age(node.last_seen_ms, now_ms) : ""),
    },
    { title: "WHY", prose: true, cell: (node) => why(node, now_ms) },
  ];
}

const isAway = ({ state }: NodeView): boolean => state === "unreachable" || state === "lost";

/** Returns a drain in words: `new fan (olga, 5m ago), 3m left`. */
export function drainText(drain: NonNullable<NodeView["drain"]>, state: NodeView["state"], now_ms: Ms): string {
  const { since_ms, deadline_ms, by, reason, leaves } = drain;
  const doing = state === "drained" ? "drained" : "drain begun";
  const what = leaves ? `leaves: ${reason ?? ""}` : `${reason ?? doing} (${by}, ${age(since_ms, now_ms)} ago)`;
  // The deadline of a drain does not matter once nothing runs there. The deadline of a machine that goes does.
  if (deadline_ms === null || (state === "drained" && !leaves)) return what;
  return `${what}, ${deadline_ms <= now_ms ? "its time is up" : `${age(now_ms, deadline_ms)} left`}`;
}

/**
 * Returns what the tests of a ready node warned of, or that they were skipped. Of a node that can begin nothing they
 * are older than its reason.
 */
function testsWhy({ state, tests, unable }: NodeView): string[] {
  if (state !== "ready" || unable !== null || tests === null || tests.reason === null) return [];
  return [tests.verdict === "failed" ? `resumed without passing its tests: ${tests.reason}` : tests.reason];
}

/** Returns which tasks of removed agents live here: `2 tasks of a removed agent run here: PIDs 12, 13; …`. */
function foreignWords({ name, foreign_tasks }: NodeView): string {
  const agents = new Set(foreign_tasks.map(({ data }) => data)).size;
  const whose = agents === 1 ? "a removed agent" : `${agents} removed agents`;
  const pids = foreign_tasks.map(({ pid }) => pid);
  const one = pids.length === 1;
  const shown = `${pids.slice(0, 3).join(", ")}${pids.length > 3 ? ", …" : ""}`;
  const [tasks, run, label] = one ? ["1 task", "runs", "PID"] : [`${pids.length} tasks`, "run", "PIDs"];
  return `${tasks} of ${whose} ${run} here: ${label} ${shown}; orch node orphans ${name}`;
}

/** Clocks that differ by less than this confuse nobody. */
const SKEW_MS = 1_000;

/** Returns that the node's clock is wrong, as against the server's. */
function clockWhy({ clock_skew_ms: skew_ms }: NodeView): string[] {
  if (skew_ms === null || Math.abs(skew_ms) < SKEW_MS) return [];
  return [`its clock is ${age(0, Math.abs(skew_ms))} ${skew_ms > 0 ? "ahead of" : "behind"} the server's`];
}

function why(node: NodeView, now_ms: Ms): string {
  const { reason, drain, taints, orphans, foreign_tasks } = node;
  return [
    ...(reason === null || reason === drain?.reason ? [] : [reason]),
    ...(drain === null ? [] : [drainText(drain, node.state, now_ms)]),
    ...testsWhy(node),
    ...clockWhy(node),
    ...taints.map(taintText),
    ...(foreign_tasks.length === 0 ? [] : [foreignWords(node)]),
    ...(orphans.length === 0 ? [] : [`${orphans.length} unknown ${orphans.length === 1 ? "task" : "tasks"}`]),
  ].join(", ");
}
