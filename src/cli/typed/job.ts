// Turns the flags of `orch run` into a job of the spec file's grammar. The same keys get the same checks and defaults.

import type { Activate, OnUnknownEnd } from "../../core/model/workload";
import { hostsIn } from "../instead/host-list";
import type { Pair } from "./readers";

export interface JobFlags {
  readonly gpu: string | null;
  readonly cpu: string | null;
  readonly memory: string | null;
  readonly time: string | null;
  readonly nodes: number | null;
  readonly array: string | null;
  readonly pool: string | null;
  /** Names of the only nodes, and expressions on the labels of nodes. */
  readonly host: readonly string[];
  readonly where: readonly string[];
  /** Taints of nodes that do not keep it away: `key` or `key=value`. */
  readonly tolerate: readonly string[];
  readonly priority: number | null;
  readonly after: readonly string[];
  readonly afterAny: readonly string[];
  readonly afterFailed: readonly string[];
  readonly label: readonly Pair[];
  readonly limit: readonly Pair[];
  readonly onUnknownEnd: OnUnknownEnd | null;
  readonly workdir: string;
  readonly activate: Activate | null;
  readonly login: boolean;
}

/** The command of a job: a text for the shell, or a program and its arguments. */
export type TypedCommand = { readonly shell: string } | { readonly argv: readonly string[] };

export async function jobOf(
  asked: TypedCommand,
  flags: JobFlags,
  env: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const { gpu, cpu, memory, time, nodes, array, priority, label, limit, workdir, activate, login, onUnknownEnd } =
    flags;
  return withoutNulls({
    ...("shell" in asked ? { run: asked.shell } : { command: [...asked.argv] }),
    workdir,
    activate: activate === null ? null : { [activate.kind]: activate.dir },
    login: login ? true : null,
    env,
    resources: withoutNulls({ cpu, memory, gpu: gpu === null ? null : await gpuOf(gpu) }),
    time_limit: time,
    on_unknown_end: onUnknownEnd,
    nodes,
    array,
    priority,
    place: placeOf(flags),
    after: listed(flags.after),
    after_any: listed(flags.afterAny),
    after_failed: listed(flags.afterFailed),
    limits: limit.length === 0 ? null : Object.fromEntries(limit.map(({ key, value }) => [key, value])),
    labels: label.length === 0 ? null : Object.fromEntries(label.map(({ key, value }) => [key, value])),
  });
}

/** Cards in the form of a spec file are read by its grammar, which is not loaded for any other text. */
const gpuOf = async (typed: string): Promise<unknown> =>
  typed.includes("{") ? (await import("../../spec/parse")).typedGpu(typed) : typed;

/** Returns the names of a flag that takes several, also with commas between them; null for none. */
const listed = (given: readonly string[]): string[] | null =>
  given.length === 0 ? null : given.flatMap((one) => one.split(",")).map((one) => one.trim());

function placeOf({ pool, host, where, tolerate }: JobFlags): Record<string, unknown> | null {
  const place = withoutNulls({
    pool,
    hosts: host.length === 0 ? null : host.flatMap(hostsIn),
    labels: where.length === 0 ? null : [...where],
    tolerate: listed(tolerate),
  });
  return Object.keys(place).length === 0 ? null : place;
}

const withoutNulls = (given: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));

/** The flag that each key of the job comes from. Errors name the flag that the user typed. */
const FLAG_OF: readonly (readonly [path: string, flag: string])[] = [
  ["resources.gpu", "--gpu"],
  ["resources.cpu", "--cpu"],
  ["resources.memory", "--memory"],
  ["time_limit", "--time"],
  ["on_unknown_end", "--on-unknown-end"],
  ["nodes", "--nodes"],
  ["array", "--array"],
  ["priority", "--priority"],
  ["place.pool", "--pool"],
  ["place.hosts", "--host"],
  ["place.labels", "--where"],
  ["place.tolerate", "--tolerate"],
  ["after", "--after"],
  ["after_any", "--after-any"],
  ["after_failed", "--after-failed"],
  ["env", "--env"],
  ["labels", "--label"],
  ["limits", "--limit"],
  ["workdir", "--workdir"],
  ["activate", "--activate"],
  ["name", "--name"],
  ["command", "the command"],
  ["run", "-c"],
];

/**
 * Returns the flag that a path of the job comes from: `--gpu` for `resources.gpu` and for all paths below it. Returns
 * other paths unchanged.
 */
export function flagOf(path: string): string {
  const found = FLAG_OF.find(([key]) => path === key || path.startsWith(`${key}.`) || path.startsWith(`${key}[`));
  return found === undefined ? path : found[1];
}
