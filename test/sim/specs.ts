// Random specs of simulated work: services, jobs and daemons of all kinds that differ in what may happen to them.

import type { Settings, TaskSpec, WorkloadDecl } from "../../src/core/model/workload";
import { GIB, SECOND_MS } from "../../src/core/units";
import { randomGpu } from "./cards";
import type { Random } from "./random";

/** Returns what the processes of a task do, in a form that `behaviourOf` in machine.ts reads. */
function command(random: Random, kind: WorkloadDecl["kind"]): TaskSpec["command"] {
  const argv = ["sim"];
  const crash = kind !== "job" && random.chance(0.25);
  if (kind === "job") {
    const lives = random.pick([0, 50, 2_000, 15_000, 60_000]);
    if (random.chance(0.1)) argv.push("forever");
    else argv.push("exit", String(random.int(0, lives)), random.chance(0.75) ? "0" : String(random.int(1, 3)));
  } else if (crash) argv.push("exit", String(random.pick([5, 1_000, 20_000, 70_000])), random.chance(0.3) ? "0" : "1");
  else argv.push("forever");
  if (random.chance(0.2)) argv.push("hang");
  return { kind: "argv", argv };
}

/** `exclusive` is the share of services that are exclusive. */
export function randomSpec(random: Random, kind: WorkloadDecl["kind"], exclusive = 0.3): TaskSpec {
  return {
    command: command(random, kind),
    env: {},
    workdir: null,
    unix_user: null,
    origin: "entry",
    request: {
      cpu_milli: random.pick([250, 500, 1_000, 2_000]),
      memory_bytes: random.pick([1, 2, 4]) * GIB,
      disk_bytes: 0,
      gpu: randomGpu(random),
      countables: {},
    },
    place: {
      pool: null,
      labels: [],
      tolerate: [],
      strategy: random.pick(["pack", "spread"] as const),
      together_with: [],
      apart_from: [],
      hosts: [],
    },
    ports:
      kind === "service" && random.chance(0.2)
        ? [{ name: "http", target: null, published: null, bind: "cluster" }]
        : [],
    exclusive: kind === "service" && random.chance(exclusive),
    members: kind === "job" && random.chance(0.25) ? random.int(2, 3) : 1,
  };
}

/** Returns whether only its time limit ends a job. */
const endless = ({ command }: TaskSpec): boolean => command.kind === "argv" && command.argv.includes("forever");

export function randomSettings(random: Random, kind: WorkloadDecl["kind"], spec: TaskSpec): Settings {
  const wait = kind === "job" ? random.chance(0.6) : random.chance(0.2);
  return {
    replicas: kind === "service" ? random.int(1, 3) : 1,
    priority: random.int(0, 2),
    labels: {},
    stop: { signal: "TERM", grace_ms: random.pick([1, 5, 10]) * SECOND_MS },
    restart: {
      backoff_min_ms: 1 * SECOND_MS,
      backoff_max_ms: 20 * SECOND_MS,
      attempts: random.pick([null, null, 3, 6]),
      offline: kind === "service" && !spec.exclusive && random.chance(0.8),
    },
    on_node_loss: wait || kind === "daemon" ? "wait" : kind === "job" ? "requeue" : "replace",
    ...(kind === "job" && random.chance(0.3) ? { on_unknown_end: random.pick(["retry", "fail"] as const) } : {}),
    retries: kind === "job" ? random.int(0, 3) : 0,
    time_limit_ms: kind === "job" && (endless(spec) || random.chance(0.2)) ? random.int(2, 20) * SECOND_MS : null,
    after: [],
  };
}

export function randomWorkload(
  random: Random,
  name: string,
  others: readonly WorkloadDecl[],
  exclusive: number,
): WorkloadDecl {
  const kind = random.pick(["service", "service", "job", "job", "job", "daemon"] as const);
  const spec = randomSpec(random, kind, exclusive);
  const settings = randomSettings(random, kind, spec);
  if (kind !== "job" || others.length === 0 || random.chance(0.5)) return { name, kind, spec, settings };
  const other = random.pick(others);
  if (other.kind === "daemon") return { name, kind, spec, settings };
  const when = other.kind === "service" ? "up" : random.pick(["succeeded", "ended", "failed"] as const);
  return { name, kind, spec, settings: { ...settings, after: [{ name: other.name, when }] } };
}

export function randomApp(random: Random, exclusive: number): WorkloadDecl[] {
  const workloads: WorkloadDecl[] = [];
  const count = random.int(1, 4);
  for (let i = 0; i < count; i++) workloads.push(randomWorkload(random, `w${i}`, workloads, exclusive));
  return workloads;
}
