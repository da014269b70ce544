// What `orch run` was asked for, as a job of the spec file's grammar: the same keys, so the same checks and defaults.

import { typedGpu } from "../../spec/parse";
import type { Pair } from "./readers";

export interface JobFlags {
  readonly gpu: string | null;
  readonly cpu: string | null;
  readonly memory: string | null;
  readonly time: string | null;
  readonly nodes: number | null;
  readonly pool: string | null;
  readonly priority: number | null;
  readonly after: readonly string[];
  readonly label: readonly Pair[];
  readonly workdir: string;
}

/** Either a text for the shell or a program and its arguments. */
export type TypedCommand = { readonly shell: string } | { readonly argv: readonly string[] };

export function jobOf(
  asked: TypedCommand,
  flags: JobFlags,
  env: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const { gpu, cpu, memory, time, nodes, pool, priority, after, label, workdir } = flags;
  return withoutNulls({
    ...("shell" in asked ? { run: asked.shell } : { command: [...asked.argv] }),
    workdir,
    env,
    resources: withoutNulls({ cpu, memory, gpu: gpu === null ? null : typedGpu(gpu) }),
    time_limit: time,
    nodes,
    priority,
    place: pool === null ? null : { pool },
    after: after.length === 0 ? null : after.flatMap((one) => one.split(",")).map((one) => one.trim()),
    labels: label.length === 0 ? null : Object.fromEntries(label.map(({ key, value }) => [key, value])),
  });
}

const withoutNulls = (given: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));

/** Which flag a key of the job came from, for errors in the user's own words. */
const FLAG_OF: readonly (readonly [path: string, flag: string])[] = [
  ["resources.gpu", "--gpu"],
  ["resources.cpu", "--cpu"],
  ["resources.memory", "--memory"],
  ["time_limit", "--time"],
  ["nodes", "--nodes"],
  ["priority", "--priority"],
  ["place.pool", "--pool"],
  ["after", "--after"],
  ["env", "--env"],
  ["labels", "--label"],
  ["workdir", "--workdir"],
  ["name", "--name"],
  ["command", "the command"],
  ["run", "-c"],
];

/** `resources.gpu` is `--gpu` to whoever typed it; what lies deeper keeps its path behind it. */
export function flagOf(path: string): string {
  const found = FLAG_OF.find(([key]) => path === key || path.startsWith(`${key}.`) || path.startsWith(`${key}[`));
  return found === undefined ? path : found[1];
}
