// Every command that takes a name takes every kind of name of it, refuses what is of another kind, and answers a
// mistyped or ambiguous one with what was probably meant. A new command fails here until it is listed.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { TABLE } from "../../src/cli/table";
import { Cluster } from "../support/cluster";
import type { Result } from "../support/program";

const LITTLE = "resources: { cpu: 10m, memory: 16MiB }";
const SHOP =
  `app: shop\nservices:\n  web: { run: echo out; exec sleep 1000, ${LITTLE} }\n` +
  `jobs:\n  train: { run: echo out, ${LITTLE} }\n`;
const gymOf = (project: string): string =>
  `app: gym\nproject: ${project}\nservices:\n  web: { run: exec sleep 1000, ${LITTLE} }\n`;

const WORKLOAD = ["workload", "project/workload"] as const;
const JOB = ["job", "project/job"] as const;
const APP = ["app", "project/app"] as const;
const TASK = ["slot", "project/slot", "attempt", "task id"] as const;
/** A run that goes on, by a name that somebody gave it. */
const RUN = ["name", "project/name", "run", "part of a run", "run's task id"] as const;
/** The same of one that has ended. */
const OVER = ["ended name", "ended run", "part of an ended run", "ended task id"] as const;
const NODE = ["node", "node id"] as const;
const CARD = ["card", "card id"] as const;
const KINDS = [...WORKLOAD, ...JOB, ...APP, ...TASK, ...RUN, ...OVER, ...NODE, ...CARD] as const;
type Kind = (typeof KINDS)[number];

/** One kind of each thing, for what a command does not take. */
const ONE_OF_EACH: readonly Kind[] = [
  "workload",
  "job",
  "app",
  "task id",
  "name",
  "part of an ended run",
  "node",
  "card",
];

interface Case {
  readonly line: (name: string) => readonly string[];
  readonly takes: readonly Kind[];
  /** What is printed for a name that is taken, and the exit code (0). */
  readonly says: RegExp;
  readonly code?: number;
  /** Names that are something else here, such as a program, or whose run goes on or not as it happens. */
  readonly skips?: readonly Kind[];
  /** A mistyped name with what is said of it, and the same of one that several things have. */
  readonly wrong: readonly [typed: string, says: RegExp];
  readonly several?: readonly [typed: string, says: RegExp];
}

const behind =
  (...words: string[]) =>
  (name: string): string[] => [...words, name];
const MEANT_WEB = ["shop.wbe", /Did you mean shop\.web\?/] as const;
const MEANT_JOB = ["shop.trian", /Did you mean shop\.train\?/] as const;
const MEANT_APP = ["shpo", /Did you mean shop\?/] as const;
const MEANT_RUN = ["losoe", /Did you mean loose\?/] as const;
const MEANT_NODE = ["bx", /Did you mean box\?/] as const;
const SEVERAL_RUNS = [
  "twin",
  /is run \d+ \(twin, .*\), and run \d+ .*Name the one that is meant by its number/,
] as const;
const SEVERAL_APPS = ["gym", /is the app p1\/gym, and the app p2\/gym\. Write the project before it/] as const;
/** What changes something takes a thing of another project only with its project. */
const OTHERS = ["gym.web", /Did you mean p1\/gym\.web or p2\/gym\.web\?/] as const;
const ofNode = (says: RegExp, code = 0): Pick<Case, "takes" | "says" | "code" | "wrong"> => ({
  takes: NODE,
  says,
  code,
  wrong: MEANT_NODE,
});

/** In this order: what only looks, what changes, and what ends. */
const CASES: readonly (readonly [command: string, one: Case])[] = [
  ["show", { line: behind("show", "-q"), takes: KINDS, says: /^\S+\n$/, wrong: MEANT_WEB, several: SEVERAL_APPS }],
  [
    "explain",
    {
      line: behind("explain"),
      takes: [...WORKLOAD, ...TASK, ...RUN],
      says: /is on box/,
      wrong: MEANT_RUN,
      several: SEVERAL_RUNS,
    },
  ],
  [
    "logs",
    {
      line: behind("logs"),
      takes: [...WORKLOAD, ...JOB, ...APP, ...TASK, ...RUN, ...OVER],
      says: /out\n/,
      wrong: MEANT_APP,
      several: SEVERAL_RUNS,
    },
  ],
  [
    "events",
    {
      line: behind("events", "-n", "1"),
      takes: KINDS.filter((kind) => !kind.startsWith("card")),
      says: /^\d{4}-\d\d-\d\d /,
      wrong: MEANT_NODE,
      several: SEVERAL_APPS,
    },
  ],
  [
    "ps",
    {
      line: behind("ps", "--all", "-q"),
      takes: [...WORKLOAD, ...JOB, ...APP, ...TASK, ...RUN, ...OVER],
      says: /^[0-9a-f]{10}\n/,
      wrong: MEANT_APP,
      several: SEVERAL_APPS,
    },
  ],
  [
    "ps",
    {
      line: behind("ps", "-q"),
      takes: KINDS.filter((kind) => !kind.startsWith("card")),
      says: /^([0-9a-f]{10}\n|$)/,
      wrong: MEANT_NODE,
    },
  ],
  ["ps", { line: behind("ps", "-q", "--node"), ...ofNode(/^[0-9a-f]{10}\n/) }],
  ["gpus", { line: behind("gpus"), ...ofNode(/A100/) }],
  ["spec", { line: behind("spec"), takes: APP, says: /^app: shop\n/, wrong: MEANT_APP, several: SEVERAL_APPS }],
  ["node show", { line: behind("node", "show"), ...ofNode(/box/) }],
  ["node orphans", { line: behind("node", "orphans"), ...ofNode(/every task on box has its record/) }],
  ["node label", { line: (name) => ["node", "label", name, "zone=a"], ...ofNode(/box: .*zone=a/) }],
  ["node taint", { line: (name) => ["node", "taint", name, "z:prefer_not"], ...ofNode(/box: z:prefer_not/) }],
  ["node resume", { line: behind("node", "resume"), ...ofNode(/box: ready/) }],
  ["node approve", { line: behind("node", "approve"), ...ofNode(/box waits for no approval/, 1) }],
  ["node refuse", { line: behind("node", "refuse"), ...ofNode(/box waits for no approval/, 1) }],
  ["node forget", { line: behind("node", "forget", "--yes"), ...ofNode(/Drain it first/, 1) }],
  [
    "adopt",
    { line: behind("adopt"), takes: [], says: /^$/, wrong: ["bx/aaaa", /there is no node .*Did you mean box\?/] },
  ],
  ["stop", { line: behind("stop"), takes: [], says: /^$/, wrong: ["box/aaaa", /box has no unknown task aaaa/] }],
  [
    "run",
    {
      line: (name) => ["run", "-d", "--cpu", "10m", "--memory", "16MiB", "--after", name, "--", "true"],
      takes: [...JOB, "run", "name", "project/name", "ended run", "ended name"],
      says: /^\d+\n$/,
      wrong: MEANT_JOB,
      several: SEVERAL_RUNS,
    },
  ],
  ["run", { line: behind("run", "-d"), takes: JOB, says: /^\d+\n$/, skips: KINDS, wrong: MEANT_JOB, several: OTHERS }],
  ["submit", { line: behind("submit"), takes: JOB, says: /^\d+\n$/, wrong: MEANT_JOB, several: OTHERS }],
  [
    "settle",
    {
      line: behind("settle", "--as", "failed"),
      takes: [...JOB, ...OVER],
      says: /run \d+ asks nothing/,
      code: 1,
      wrong: MEANT_RUN,
      several: SEVERAL_RUNS,
    },
  ],
  [
    "retry",
    {
      line: behind("retry"),
      skips: JOB,
      takes: OVER,
      says: /^run \d+: run \d+ again\n$/,
      wrong: MEANT_JOB,
      several: SEVERAL_RUNS,
    },
  ],
  [
    "scale",
    { line: (name) => ["scale", `${name}=1`], takes: WORKLOAD, says: /1 replica/, wrong: MEANT_WEB, several: OTHERS },
  ],
  ["restart", { line: behind("restart"), takes: WORKLOAD, says: /restarting/, wrong: MEANT_WEB, several: OTHERS }],
  // It asks, and there is no terminal to ask on.
  [
    "rm",
    {
      line: behind("rm"),
      takes: APP,
      says: /orch rm \S+ --yes/,
      code: 2,
      wrong: MEANT_APP,
      several: ["gym", /p1\/gym or p2\/gym/],
    },
  ],
  [
    "cancel",
    { line: behind("cancel"), takes: RUN, says: /^run \d+: cancell(ed|ing)\n$/, wrong: ["shop.trian", MEANT_JOB[1]] },
  ],
  ["node drain", { line: behind("node", "drain"), ...ofNode(/box: drain/) }],
  ["node test", { line: behind("node", "test"), ...ofNode(/box: testing/) }],
  [
    "user grant",
    {
      line: (name) => ["user", "grant", name, "a"],
      takes: [],
      says: /^$/,
      wrong: ["admn", /Did you mean admin\?/],
    },
  ],
  ["user rm", { line: behind("user", "rm"), takes: [], says: /^$/, wrong: ["admn", /Did you mean admin\?/] }],
  [
    "token revoke",
    { line: behind("token", "revoke"), takes: [], says: /^$/, wrong: ["aaaa", /orch token ls shows them/] },
  ],
  ["context use", { line: behind("context", "use"), takes: [], says: /^$/, wrong: ["box", /orch context ls/] }],
  ["context rm", { line: behind("context", "rm"), takes: [], says: /^$/, wrong: ["box", /orch context ls/] }],
  ["logout", { line: behind("logout"), takes: [], says: /^$/, wrong: ["box", /orch context ls/] }],
];

/** Commands that take no name of a thing that is there. */
const NAMELESS =
  "up, server, agent join, agent leave, apps, validate, plan, apply, queue, runs, nodes, login, whoami, context ls, " +
  "token new, token ls, user add, user ls, install server, install agent, restore, completion, version";

let cluster: Cluster;
const called = new Map<Kind, string>();
const nameOf = (kind: Kind): string => called.get(kind)!;

beforeAll(async () => {
  cluster = await Cluster.start({ name: "names" });
  await cluster.startAgent("box", "--device", "fake:A100:80GB");
  await cluster.ready();
  expect((await cluster.apply(SHOP, "--wait")).code).toBe(0);
  for (const project of ["p1", "p2"]) expect((await cluster.apply(gymOf(project), "--wait")).code).toBe(0);
  const run = async (name: string, command: string): Promise<string> => {
    const flags = ["-d", "--cpu", "10m", "--memory", "16MiB", "--name", name];
    return (await cluster.ok("run", ...flags, "-c", command)).trim();
  };
  const loose = await run("loose", "echo out; exec sleep 1000");
  for (const _ of [1, 2]) await run("twin", "exec sleep 1000");
  const over = await run("over", "echo out");
  const tasks = await cluster.until("all to run", (all) => {
    const count = (state: string): number => all.filter((task) => task.state === state).length;
    return count("running") === 6 && count("succeeded") === 2;
  });
  const idOf = (name: string): string => tasks.find((task) => task.name === name)?.id?.slice(0, 10) ?? "";
  const [node] = await cluster.nodes();
  const card = node!.devices[0]!.id;
  const names: Record<Kind, string> = {
    workload: "shop.web",
    "project/workload": "default/shop.web",
    job: "shop.train",
    "project/job": "default/shop.train",
    app: "shop",
    "project/app": "default/shop",
    slot: "shop.web.0",
    "project/slot": "default/shop.web.0",
    attempt: "shop.web.0#1",
    "task id": idOf("shop.web.0"),
    name: "loose",
    "project/name": "default/loose",
    run: loose,
    "part of a run": `${loose}_0`,
    "run's task id": idOf(loose),
    "ended name": "over",
    "ended run": over,
    "part of an ended run": `${over}_0`,
    "ended task id": idOf(over),
    node: "box",
    "node id": node!.id.slice(0, 8),
    card,
    "card id": card.slice(0, 13),
  };
  for (const kind of KINDS) called.set(kind, names[kind]);
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

/** A refusal is one line with the code of a failure or of a wrong line, and says where to go on. */
function expectRefusal({ code, out, err }: Result, says: RegExp): void {
  expect([1, 2, 125]).toContain(code);
  expect([out, err]).toEqual(["", expect.stringMatching(says)]);
  expect(err).toMatch(/^orch: [^\n]+ \([^\n]+\)\n$|^orch: [^\n]+\. [^\n]+\n$/);
}

test("every command is listed, and those without names take none", async () => {
  const nameless = NAMELESS.split(", ");
  expect([...new Set(CASES.map(([command]) => command)), ...nameless].toSorted()).toEqual(
    TABLE.map(({ name }) => name).toSorted(),
  );
  const operands = TABLE.filter(({ name }) => nameless.includes(name)).map(async ({ load }) => (await load()).operands);
  expect((await Promise.all(operands)).flat().join(" ")).not.toMatch(/APP|WORKLOAD|TASK|RUN|NODE|GPU|JOB/);
});

describe.each(CASES)("orch %s", (_, { line, takes, says, code = 0, skips = [], wrong, several }) => {
  test(`${line("NAME").slice(1).join(" ")} takes what it should, and refuses the rest`, async () => {
    for (const kind of takes) {
      const typed = line(nameOf(kind));
      const { code: got, out, err } = await cluster.orch(...typed);
      expect([kind, got, out + err]).toEqual([kind, code, expect.stringMatching(says)]);
    }
    const others = ONE_OF_EACH.filter((kind) => !takes.includes(kind) && !skips.includes(kind));
    const refused = [
      ...others.map((kind) => [nameOf(kind), /^/] as const),
      wrong,
      ...(several === undefined ? [] : [several]),
    ];
    const answers = refused.map(async ([typed, says]) => [await cluster.orch(...line(typed)), says] as const);
    for (const [answer, says] of await Promise.all(answers)) expectRefusal(answer, says);
  }, 60_000);
});
