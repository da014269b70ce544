// The one schema of a spec file: types, defaults, checks, the JSON Schema and the reference all come from it.
// A new key is one line here or in the file of its block, one in build.ts, an optional field in core/model/workload.ts
// and one case in a golden file. Diffs, hints, reference and JSON Schema follow.

import { z } from "zod";
import { activate } from "./activate";
import { idle, restart, stop } from "./life";
import { place, port } from "./place";
import { resources } from "./resources";
import { processLimits } from "./process-limits";
import { readLabelKey } from "../grammar/labels";
import {
  asWritten,
  block,
  choice,
  expects,
  filled,
  flag,
  key,
  KEY_RULES,
  mapOf,
  quantity,
  reads,
  text,
  whole,
  name,
  names,
} from "./elements";
import { ASK_LIMITS } from "../limits";
import { NAME, readName } from "../grammar/names";
import { readAccount, readEnvName, readShell, readWorkdir } from "../grammar/process";
import { ON_UNKNOWN_END } from "../../core/model/workload";
import { hintArray, readArray } from "../grammar/array";
import { readTimeLimit } from "../grammar/units";

/** A list of ports is Compose's form. Ports have names here, by which tasks find them. */
function hintPorts(input: unknown): string | null {
  const [first] = Array.isArray(input) ? (input as unknown[]) : [input];
  const numbers = String(asWritten(first))
    .replace(/\/\w+$/, "")
    .split(":")
    .slice(-2);
  const [published, target] = numbers.every((one) => /^\d{1,5}$/.test(one)) ? numbers : [];
  if (published === undefined) return null;
  const one =
    target === undefined || target === published ? published : `{ target: ${target}, published: ${published} }`;
  return `ports have names: \`ports: { http: ${one} }\``;
}

const common = {
  run: key(
    filled("a command line", (input) =>
      Array.isArray(input) ? "a list is `command: [program, argument, …]`; `run` is one text for the shell" : null,
    ).optional(),
    "What to run: a text for `sh -c`. Either this or `command`",
    "python serve.py --port $PORT_HTTP",
  ),
  shell: key(reads(text("the name of a shell"), readShell).optional(), "The shell of `run`", "bash"),
  command: key(
    z
      .array(
        text("a text"),
        expects("a list such as `[python, train.py]`", () => "`run` takes a command line"),
      )
      .min(1, "is empty")
      .max(ASK_LIMITS.argv_count, `has more than ${ASK_LIMITS.argv_count} words`)
      .optional(),
    "What to run: program and arguments, without a shell",
    ["python", "train.py"],
  ),
  env: key(
    mapOf("a map such as `{ NAME: value }`", text("a text"), readEnvName).prefault({}),
    "Environment. Values keep their text (`1.10`, `yes`, `007`); nothing is interpolated",
    { MODE: "fast" },
  ),
  workdir: key(
    reads(text("a directory"), readWorkdir).optional(),
    "Absolute path to start in; default: the home of the task's account",
    "/srv/recs",
  ),
  activate: key(
    activate.optional(),
    "Environment of programs on the node: its `bin` leads `PATH`. A node without that directory does not fit",
    { venv: "/srv/recs/venv" },
  ),
  login: key(
    flag().prefault(false),
    "Whether the login shell of its account runs it: with the profiles, and with `module` where there is one",
  ),
  oom: key(
    choice("main", "any").prefault("main"),
    "Whose death for memory ends it: its main process's, or that of any process, with which all others are killed",
  ),
  user: key(
    reads(text("an account's name"), readAccount).optional(),
    "Unix account to run as, if it was granted; default: the owner's own",
    "alice",
  ),
  resources: key(resources.prefault({}), "What one task needs. Other names are countables that nodes declare", {
    cpu: "500m",
    memory: "1GiB",
    gpu: 1,
    "licence.matlab": 1,
  }),
  place: key(place.prefault({}), "Where it may run"),
  ports: key(
    mapOf("a map such as `{ http: auto }`", port, readName, hintPorts).prefault({}),
    "Ports by name. A number is both the inside and the published port, `auto` takes a free one; " +
      "the task finds it as `PORT_<NAME>`",
    { http: "auto", admin: 9000, pg: { target: 5432, published: "auto" } },
  ),
  limits: key(
    processLimits.prefault({}),
    "Limits of its processes, whoever started the agent. A node whose agent may not give one refuses the task",
    { nofile: 4_096, memlock: "unlimited" },
  ),
  exclusive: key(flag().prefault(false), "Never two tasks of a slot at once, held by a lease on the node"),
  stop: key(stop.prefault({}), "How it is ended", { signal: "TERM", grace: "10s" }),
  priority: key(
    whole(-ASK_LIMITS.priority, ASK_LIMITS.priority).prefault(0),
    "Higher is placed first; users may only lower it",
    -5,
  ),
  labels: key(
    mapOf("a map such as `{ team: vision }`", text("a text"), readLabelKey).prefault({}),
    "Labels of the workload itself, for people and tools",
    { team: "vision" },
  ),
};

const reclaims = {
  idle: key(
    idle.optional(),
    "What happens to tasks that hold cards and do not use them; without it nothing",
    // oxlint-disable-next-line unicorn/no-thenable -- the spec file's own word
    { gpu_below: "5%", for: "30m", then: "stop" },
  ),
};

const replaces = {
  restart: key(restart.prefault({}), "What happens after a crash", { backoff: "1s..1m", attempts: "unlimited" }),
};

export const service = block({
  ...common,
  replicas: key(whole(0, ASK_LIMITS.replicas).prefault(1), "How many to keep running", 3),
  ...replaces,
  ...reclaims,
  on_node_loss: key(
    choice("replace", "wait").prefault("replace"),
    "`replace` starts another after 30 s of silence (two may overlap for a while), `wait` waits for proof",
  ),
});

export const job = block({
  ...common,
  ...reclaims,
  after: key(
    names("a name or a list of names").prefault([]),
    "Jobs that must succeed first; a service's name means: all its replicas run",
    ["prep"],
  ),
  after_any: key(names("a name or a list of names").prefault([]), "Jobs that must have ended first, however", ["prep"]),
  after_failed: key(names("a name or a list of names").prefault([]), "Jobs that must have failed first", ["train"]),
  nodes: key(
    whole(1, ASK_LIMITS.gang_members).prefault(1),
    "Size of a gang: that many members start together or none",
    2,
  ),
  array: key(
    reads(text("a range of elements such as `0-99`", hintArray), readArray).optional(),
    "Its elements by number, handed out a few at a time: `0-99%8` runs 8 at once, `0-99:2` every other one. " +
      "Each finds its number as `ORCH_SLOT`, and `resources`, `retries` and `time_limit` are those of one",
    "0-99%8",
  ),
  retries: key(
    whole(0, ASK_LIMITS.retries).prefault(0),
    "Further attempts after a failure; lost, rejected and drained ones do not count",
    2,
  ),
  on_unknown_end: key(
    choice(...ON_UNKNOWN_END).prefault("ask"),
    "When it began and nobody knows how it ended: `ask` a person, `retry`, or `fail`",
  ),
  time_limit: key(
    quantity("a time such as `12h` or `1-00:00:00`", readTimeLimit).optional(),
    "Longest time one attempt may run, watched by its node's agent; `0` or `unlimited` is no limit, the default",
    "12h",
    "1-00:00:00",
  ),
  on_node_loss: key(
    choice("wait", "requeue").prefault("wait"),
    "`wait` waits for proof that its node is gone, `requeue` queues it again after 5 min of silence (two may overlap)",
  ),
});

export const daemon = block({ ...common, ...replaces });

/** The schema of a workload of each kind. */
export const KIND_SCHEMAS = { service, job, daemon } as const;

const entries = <T extends z.ZodType>(one: T) =>
  mapOf("a map of names", one, readName)
    .meta({ propertyNames: { pattern: NAME.source } })
    .register(KEY_RULES, { read: readName })
    .prefault({});

export const app = block({
  app: key(name("a name"), "Name of the app; its identity is project/app", "recs"),
  project: key(name("a name").optional(), "Who the work is accounted to; default: the user's own", "search"),
  services: key(entries(service), "Workloads that keep a number of replicas running"),
  jobs: key(entries(job), "Workloads that run to their end; a new or changed one runs when it is applied"),
  daemons: key(entries(daemon), "Workloads that run once on every matching node"),
});

export type Service = z.output<typeof service>;
export type Job = z.output<typeof job>;
export type Daemon = z.output<typeof daemon>;
export type CheckedApp = z.output<typeof app>;

/** The values that a map of texts accepts. Each is kept as it was written. */
const SCALARS = ["string", "number", "boolean", "null"] as const;

/** Returns the JSON Schema of a spec file, for editors. */
export function specJsonSchema(): Record<string, unknown> {
  const made = z.toJSONSchema(app, {
    io: "input",
    // zod leaves examples out where a text is converted. The examples added here are of the text as written.
    override: ({ zodSchema, jsonSchema }) => {
      const examples = z.globalRegistry.get(zodSchema)?.["examples"];
      if (Array.isArray(examples)) jsonSchema.examples = examples;
      const value = jsonSchema.additionalProperties;
      if (typeof value === "object" && value.type === "string") {
        jsonSchema.additionalProperties = { anyOf: SCALARS.map((type) => ({ type })) };
      }
    },
  });
  return { ...made, patternProperties: { "^x-": {} }, title: "orch spec file" };
}
