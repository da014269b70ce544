// One run as `orch show` prints it: what it is, what it asks for, what it waited for, and each of its attempts.

import { formatAge, formatBytes, formatCpu, formatDuration, formatProgress } from "../../core/format";
import { FLOOR, memoryOf, plainCpu } from "../../core/model/resources";
import { isFinal, type TaskState } from "../../core/model/lifecycle";
import type { RunDetail } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";
import { block } from "./block";
import { type Style } from "./color";
import { type EndedAlike, sayEnded } from "./elements";
import { cores, lasted, timestamp } from "./figures";
import { runWhy } from "./runs";
import { table, type Column } from "./table";
import { elementsOver, hasBegun, paintTask } from "./tasks";
import { isChoice, wayLines } from "./ways";

/** How a thing is printed. */
export interface Print {
  readonly now_ms: number;
  readonly style: Style;
  readonly width: number | null;
}

/** Returns the lines of a run. `failed`: the elements of an array that have not succeeded, or the first of them. */
export function runLines(
  run: RunDetail,
  { now_ms, style, width }: Print,
  failed: readonly EndedAlike[] = [],
): string[] {
  const lines = block(
    {
      run: `${run.run} (${run.name})`,
      state: stateOf(run),
      user: `${run.user}, project ${run.project}`,
      app: run.app,
      command: run.command,
      asked: askedOf(run),
      elements: run.array === null ? null : elementsOf(run.array),
      not_succeeded: failedOf(run, failed, width),
      node: run.nodes,
      workdir: run.workdir,
      labels: Object.entries(run.labels).map(([key, value]) => `${key}=${value}`),
      environment: variablesOf(run),
      stdin: inputOf(run),
      after: run.after.map(({ name, when, met }) => `${name} ${when}${met === null ? "" : met ? ": yes" : ": no"}`),
      [isChoice(run) ? "smallest_changes" : "smallest_change"]: wayLines(run, width === null ? null : width - KEY).join(
        "\n",
      ),
      position: run.position,
      created: timestamp(run.created_ms),
      waited: waitedOf(run),
      started: run.started_ms === null ? null : timestamp(run.started_ms),
      finished: run.finished_ms === null ? null : timestamp(run.finished_ms),
      took: run.started_ms === null ? null : lasted((run.finished_ms ?? now_ms) - run.started_ms),
      cancelled_by: run.cancelled_by,
      logs: hasOutput(run) ? `orch logs ${run.run}${elementIn(run, failed)}` : null,
    },
    style,
    width,
  );
  // An array has had many tasks. What became of its elements is said above.
  const tasks = run.array === null ? run.tasks : run.tasks.filter(({ state }) => !isFinal(state as TaskState));
  if (tasks.length > 0) lines.push("", ...table(attemptColumns(now_ms, style), tasks, width));
  const paths = run.array === null ? run.logs.filter(({ path }) => path !== null) : [];
  if (paths.length > 0) lines.push("", ...paths.map(({ task, node, path }) => `files of ${task}: ${node}:${path}`));
  return lines;
}

/** Returns what names an element of an array behind its run: the first failed one, or the first; nothing of others. */
const elementIn = ({ array }: RunDetail, [failed]: readonly EndedAlike[]): string =>
  array === null ? "" : `_${/^\d+/.exec(failed?.elements ?? array.elements)?.[0] ?? 0}`;

/** Returns how far an array is: `0-99%8: 12/100 done, 1 failed, 8 running, 2 are tried again`. */
function elementsOf(array: NonNullable<RunDetail["array"]>): string {
  const more = [
    ...(array.running > 0 ? [`${array.running} running`] : []),
    ...(array.again > 0 ? [`${array.again} to be tried again`] : []),
  ];
  return [`${array.elements}: ${formatProgress(array)}`, ...more].join(", ");
}

/** Returns which elements of an array have not succeeded, also those that are not among the first. */
function failedOf({ run, array }: RunDetail, failed: readonly EndedAlike[], width: number | null): string | null {
  const known = failed.reduce((sum, { count }) => sum + count, 0);
  if (known === 0) return null;
  const all = array === null ? 0 : array.failed + array.unknown + array.stopped;
  return sayEnded(failed, { count: Math.max(known, all), all: `orch show ${run} --json`, width });
}

/** Returns whether `orch logs` shows something: it has begun, and only who may read it is told where its logs are. */
const hasOutput = ({ tasks, logs }: RunDetail): boolean => logs.length > 0 && tasks.some(hasBegun);

/** Returns the names of variables, or each with its value, one a line, where these were asked for. */
export const variablesOf = ({
  env,
  env_values,
}: Pick<RunDetail, "env" | "env_values">): readonly string[] | Env | null => env_values ?? env;

type Env = Readonly<Record<string, string>>;

/** The longest key with its colon and the blank behind it. */
const KEY = "smallest change: ".length;

function stateOf(run: RunDetail): string {
  const why = runWhy(run);
  return why === "" ? run.state : `${run.state}, ${why}`;
}

function askedOf({ request, time_limit_ms, app }: RunDetail): string | null {
  if (request === null) return null;
  const { cpu_milli, memory_bytes, disk_bytes, gpu, countables, defaults, nodes } = request;
  const amount = (key: "cpu_milli" | "memory_bytes", said: string | null, plain: string, floor: string): string => {
    if (!defaults.includes(key)) return said ?? "";
    if (said !== null) return `${said} (default)`;
    const least = `default, at least ${floor}`;
    return gpu === null ? `${plain} (${least})` : `its cards' part of the node (${least})`;
  };
  const plain_milli = cpu_milli ?? plainCpu(app === null ? "run" : "entry");
  const memory = memory_bytes === null ? null : formatBytes(memory_bytes);
  const cpu = cpu_milli === null ? null : cores(cpu_milli);
  return [
    `cpu ${amount("cpu_milli", cpu, cores(plain_milli), formatCpu(FLOOR.cpu_milli))}`,
    `memory ${amount("memory_bytes", memory, formatBytes(memoryOf(plain_milli)), formatBytes(FLOOR.memory_bytes))}`,
    ...(gpu === null ? [] : [`gpu ${gpu}`]),
    ...(disk_bytes === 0 ? [] : [`disk ${formatBytes(disk_bytes)}`]),
    ...Object.entries(countables).map(([name, count]) => `${name} ${count}`),
    ...(nodes > 1 ? [`nodes ${nodes}`] : []),
    time_limit_ms === null ? "no time limit" : `time ${formatDuration(time_limit_ms)}`,
  ].join(", ");
}

const SHOWN_DIGITS = 12;

function inputOf({ stdin }: RunDetail): string | null {
  if (stdin === null) return null;
  const hash = stdin.sha256 === null ? "" : ` (sha256 ${stdin.sha256.slice(0, SHOWN_DIGITS)})`;
  return `${formatBytes(stdin.bytes)}${hash}`;
}

/** Returns how long a run waited and what for. A wait too short to see that was for nothing is none. */
function waitedOf({ waited_ms, waited_for, started_ms, finished_ms, reason }: RunDetail): string | null {
  if (waited_for === null && waited_ms < 1_000) return null;
  const open = started_ms === null && finished_ms === null;
  // The line of the state says it already.
  if (open && waited_for === reason) return formatAge(waited_ms);
  return `${formatAge(waited_ms)}${waited_for === null ? "" : `${open ? "" : ", last"}: ${waited_for}`}`;
}

export const attemptColumns = (now_ms: number, style: Style): Column<TaskView>[] => [
  { title: "ATTEMPT", align: "right", cell: ({ attempt }) => String(attempt) },
  {
    title: "ELEMENTS",
    gives: [
      [3, 24],
      [6, 12],
    ],
    cell: ({ elements }) => elements ?? "",
  },
  { title: "MEMBER", align: "right", cell: ({ member }) => (member === 0 ? "" : String(member)) },
  { title: "ID", gives: [[2, 0]], cell: ({ id }) => id?.slice(0, 10) ?? "-" },
  {
    title: "NODE",
    cut: "middle",
    gives: [
      [1, 16],
      [5, 10],
    ],
    cell: ({ node }) => node ?? "-",
  },
  { title: "STATE", cell: ({ state }) => state, paint: (task, cell) => paintTask(style, task, cell) },
  { title: "STARTED", cell: ({ started_ms }) => (started_ms === null ? "-" : timestamp(started_ms)) },
  {
    title: "TOOK",
    align: "right",
    cell: ({ started_ms, finished_ms }) => (started_ms === null ? "-" : lasted((finished_ms ?? now_ms) - started_ms)),
  },
  {
    title: "PEAK",
    align: "right",
    gives: [[4, 0]],
    cell: ({ peak_memory_bytes }) => (peak_memory_bytes === null ? "" : formatBytes(peak_memory_bytes)),
  },
  {
    title: "EXIT",
    align: "right",
    cell: ({ exit_code, signal }) => signal ?? (exit_code === null ? "" : String(exit_code)),
  },
  {
    title: "DONE",
    gives: [[7, "below"]],
    cell: ({ batch }) => (batch === null ? "" : elementsOver({ array: null, batch })),
  },
  { title: "WHY", prose: true, cell: ({ reason }) => reason ?? "" },
];
