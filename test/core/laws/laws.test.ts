// Every law has transactions that break it, and is named by them together with the rows; what is right breaks none.

import { describe, expect, test } from "bun:test";
import { breachOf, isSkipped, LAWS, sayBreach } from "../../../src/core/laws/laws";
import type { Change, State } from "../../../src/core/model/rows-state";
import type { RunRow, SlotRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { NodeRow } from "../../../src/core/model/rows-node";
import { GIB } from "../../../src/core/units";
import {
  buildApp,
  buildDevice,
  buildEnd,
  buildFinal,
  buildNode,
  buildRun,
  buildSlot,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
  uidOf,
} from "../../support/build";
import { buildUser } from "../../support/users";
import { brokenBy, momentOf } from "../../support/moment";
import { OTHER_CASES } from "./other-cases";

const card = buildDevice("gpu-1");
const box = buildNode("box", { devices: [card], ordinal: 1, capacity: { countables: { licence: 1 } } });
const api = buildWorkload("web", "api", "s", { settings: { replicas: 3 } });
const living = buildTask(api, "box");
const run = buildRun(1, "s", { state: "running" });
const ran = buildTask(run, "box");
const lost = { at_ms: NOW_MS, why: "silent" };
const state = buildState({
  cluster: { next_run: 2, next_ordinal: 2 },
  nodes: [box],
  workloads: [api],
  runs: [run],
  tasks: [living],
  slots: [buildSlot(living)],
  users: [buildUser("alice")],
});

const task = (row: TaskRow): Change => ({ table: "tasks", key: row.uid, row });
const slot = (row: SlotRow): Change => ({ table: "slots", key: row.key, row });
const node = (row: NodeRow): Change => ({ table: "nodes", key: row.id, row });
const put = (row: RunRow): Change => ({ table: "runs", key: row.uid, row });
type Left = "tasks" | "runs" | "nodes" | "workloads" | "users";
const gone = (table: Left, key: string): Change => ({ table, key, row: null });
const ended = (row: TaskRow, state_of = buildFinal()): Change => ({
  table: "ended_tasks",
  key: row.uid,
  row: { ...row, observed: state_of },
});

/** A new attempt of a slot as the plan writes it. */
const placed = (part: Parameters<typeof buildTask>[2] = {}, owner = api, where = "box"): TaskRow =>
  buildTask(owner, where, { slot: 1, observed: { state: "assigned" }, ...part });
const placing = (row: TaskRow): Change[] => [task(row), slot(buildSlot(row))];
const withNode = (part: Partial<NodeRow>): State => ({ ...state, nodes: new Map([["box", { ...box, ...part }]]) });
const withApi = (part: Partial<typeof api>): State => ({
  ...state,
  workloads: new Map([[api.uid, { ...api, ...part }]]),
});
const withTask = (...rows: TaskRow[]): State => ({
  ...state,
  tasks: new Map(rows.map((row) => [row.uid, row])),
  slots: new Map(rows.map((row) => buildSlot(row)).map((row) => [row.key, row])),
});
const port = { name: "http", target: 80, published: 8080, bind: "cluster" } as const;

interface Case {
  readonly what: string;
  readonly before?: State;
  readonly changes: readonly Change[];
  readonly actor?: string;
  readonly row?: string;
  readonly hasEnded?: true;
}

const CASES: Readonly<Record<string, readonly Case[]>> = {
  "task-moves": [
    { what: "a state that falls", changes: [task({ ...living, observed: { state: "starting" } })], actor: "node box" },
    { what: "the plan that speaks for an agent", changes: [gone("tasks", living.uid), ended(living)] },
  ],
  "task-wish-rises": [
    {
      what: "a stop that is taken back",
      before: withTask({ ...living, desired: "stop" }),
      changes: [task({ ...living, desired: "run" })],
      row: "from stop to run",
    },
  ],
  "task-stays-itself": [
    { what: "another node", changes: [task({ ...living, node_id: "other" })], row: 'node_id was "box", is "other"' },
    {
      what: "another promise",
      changes: [task({ ...living, promised: { ...living.promised, cpu_milli: 1 } })],
      row: "promised",
    },
  ],
  "final-is-final": [
    { what: "an end written twice", before: withTask(), changes: [ended(living)], actor: "node box", hasEnded: true },
    { what: "an end beside the living", changes: [ended(living)], actor: "node box" },
  ],
  "task-leaves-by-its-end": [{ what: "a task that disappears", changes: [gone("tasks", living.uid)] }],
  "grant-covers-attempt": [
    { what: "a grant of the past", changes: [task({ ...living, grant_until: 0 })], actor: "server" },
  ],
  "written-off-is-replaced": [
    { what: "a task given up for nothing", changes: [task({ ...living, written_off: lost })] },
    {
      what: "one that is taken back",
      before: withTask({ ...living, written_off: lost }),
      changes: [task({ ...living, written_off: null })],
    },
  ],
  "task-has-owner-and-node": [
    { what: "a task of nobody", changes: placing(placed({ owner_uid: uidOf("nobody") })) },
    { what: "a task on no node", changes: placing(placed({ node_id: "nowhere" })) },
    { what: "a workload that leaves its task behind", changes: [gone("workloads", api.uid)] },
    { what: "a node that does", changes: [gone("nodes", "box")], actor: "olga" },
  ],
  "slot-remembers": [
    { what: "an attempt that its slot does not know", changes: [task(placed())] },
    { what: "a slot that forgets", changes: [slot(buildSlot(living, { attempts: 0 }))] },
  ],
  "attempts-rise": [
    {
      what: "a number that was granted",
      before: { ...withTask(living), tasks: new Map() },
      changes: placing(placed({ slot: 0, attempt: 1 })),
      row: "comes after attempt 1",
    },
  ],
  "unknown-ends-wait": [
    {
      what: "another attempt that nobody asked for",
      before: {
        ...state,
        tasks: new Map(),
        slots: new Map([[buildSlot(ran).key, { ...buildSlot(ran), ends: [buildEnd(ran, { state: "unknown" })] }]]),
      },
      changes: placing(buildTask(run, "box", { attempt: 2, grant_until: 2, observed: { state: "assigned" } })),
      row: "comes after attempt 1, whose end is unknown",
    },
  ],
  "one-attempt-a-slot": [
    { what: "a second attempt of a version", changes: placing(placed({ slot: 0, attempt: 2 })) },
    {
      what: "an exclusive one beside another",
      changes: placing(placed({ slot: 0, attempt: 2, version: 2, exclusive: true })),
    },
  ],
  "placed-where-fit": [
    { what: "a silent node", before: withNode({ contact: "lost" }), changes: placing(placed()), row: "is lost" },
    {
      what: "a node that can begin no task",
      before: withNode({ facts: { ...box.facts, unable: "its disk is full" } }),
      changes: placing(placed()),
    },
    { what: "a node in tests", before: withNode({ admission: "testing" }), changes: placing(placed()) },
    {
      what: "a node that leaves",
      before: withNode({ leaving: { since_ms: 0, deadline_ms: null, gone: true, why: "spot" } }),
      changes: placing(placed()),
    },
    { what: "another boot", changes: placing(placed({ boot_id: "boot-0" })) },
    {
      what: "a server that recovers",
      before: { ...state, cluster: { ...state.cluster, recovering: ["box"] } },
      changes: placing(placed()),
    },
  ],
  "placed-as-wanted": [
    { what: "an old version", changes: placing(placed({ version: 0 })) },
    { what: "a workload that goes", before: withApi({ removing: true }), changes: placing(placed()) },
    { what: "a slot that was given up", before: withApi({ without: [1] }), changes: placing(placed()) },
    {
      what: "a run that was cancelled",
      before: { ...state, runs: new Map([[run.uid, { ...run, cancel: { at_ms: 1, by: "alice" } }]]) },
      changes: placing(buildTask(run, "box", { observed: { state: "assigned" } })),
    },
  ],
  "node-capacity": [
    {
      what: "too many cores",
      changes: placing(placed({ promised: { cpu_milli: 7_901 } })),
      row: "box has 1 cpu_milli less than are promised",
    },
    { what: "too much memory", changes: placing(placed({ promised: { memory_bytes: 32 * GIB } })) },
    { what: "too much disk", changes: placing(placed({ promised: { disk_bytes: 101 * GIB } })) },
    { what: "too many licences", changes: placing(placed({ promised: { countables: { licence: 2 } } })) },
    {
      what: "what an orphan holds",
      before: withNode({
        orphans: [{ uid: uidOf("o"), name: "o", pid: 1, held: { ...living.promised, cpu_milli: 7_900 } }],
      }),
      changes: placing(placed()),
    },
  ],
  "card-capacity": [
    {
      what: "a card that is not there",
      changes: placing(placed({ promised: { devices: [{ id: "x", bytes: null }] } })),
    },
    {
      what: "a whole card with two owners",
      before: withTask({ ...living, promised: { ...living.promised, devices: [{ id: "gpu-1", bytes: null }] } }),
      changes: placing(placed({ promised: { devices: [{ id: "gpu-1", bytes: GIB }] } })),
      row: "gpu-1 of box is promised to web.api.0",
    },
    {
      what: "shares beyond its memory",
      before: withTask({ ...living, promised: { ...living.promised, devices: [{ id: "gpu-1", bytes: 20 * GIB }] } }),
      changes: placing(placed({ promised: { devices: [{ id: "gpu-1", bytes: 5 * GIB }] } })),
    },
  ],
  "granted-account": [
    { what: "an account of somebody else", changes: placing(placed({ unix_user: "root" })), row: "under root" },
    {
      what: "the account of a user who is not there",
      before: { ...state, users: new Map() },
      changes: placing(placed({ unix_user: "alice" })),
      row: "which alice has not",
    },
  ],
  "ports-unique": [
    {
      what: "a port of another agent on the machine",
      before: {
        ...withTask({ ...living, node_id: "box2", promised: { ...living.promised, ports: [port] } }),
        nodes: new Map([box, { ...buildNode("box2"), fingerprint: box.fingerprint }].map((row) => [row.id, row])),
      },
      changes: placing(placed({ promised: { ports: [port] } })),
      row: "cluster port 8080",
    },
  ],
  "revision-rises": [
    {
      what: "another epoch",
      changes: [{ table: "cluster", key: "cluster", row: { ...state.cluster, epoch: 0 } }],
      row: "epoch 1 to 0",
    },
    { what: "a time before", changes: [{ table: "cluster", key: "cluster", row: { ...state.cluster, at_ms: 1 } }] },
  ],
  "numbers-are-new": [
    { what: "a number that was given", changes: [put({ ...buildRun(1, "s"), uid: uidOf("twice") })], actor: "alice" },
    { what: "a number not yet given", changes: [put(buildRun(2, "s"))], actor: "alice" },
    { what: "a used ordinal", changes: [node(buildNode("new", { ordinal: 1 }))], actor: "server" },
  ],
  "run-moves": [
    { what: "a run that falls", changes: [put({ ...run, state: "queued" })] },
    { what: "a person who ends it", changes: [put({ ...run, state: "failed" })], actor: "alice" },
  ],
  "run-succeeds-by-its-tasks": [{ what: "a success of nobody", changes: [put({ ...run, state: "succeeded" })] }],
  "run-leaves-when-over": [
    { what: "a run that disappears", changes: [gone("runs", run.uid)] },
    {
      what: "a run that is not over",
      changes: [gone("runs", run.uid), { table: "ended_runs", key: run.uid, row: run }],
      row: "left as running",
    },
  ],
  "node-moves": [
    { what: "contact by its agent", changes: [node({ ...box, contact: "unreachable" })], actor: "node box" },
    { what: "a drain by the plan", changes: [node({ ...box, intent: "draining" })] },
    { what: "a quarantine without tests", changes: [node({ ...box, admission: "quarantined" })], actor: "node box" },
  ],
  "names-are-unique": [
    {
      what: "two nodes of a name",
      changes: [
        node({ ...buildNode("other", { ordinal: 2 }), name: "box" }),
        { table: "cluster", key: "cluster", row: { ...state.cluster, next_ordinal: 3 } },
      ],
      actor: "server",
      row: "both called box",
    },
    {
      what: "two apps of a name",
      changes: [{ table: "apps", key: uidOf("x"), row: { ...buildApp("web"), uid: uidOf("x") } }],
      actor: "alice",
    },
    {
      what: "two workloads of a name",
      changes: [{ table: "workloads", key: uidOf("x"), row: { ...api, uid: uidOf("x") } }],
      actor: "alice",
    },
  ],
  "slots-are-given-up": [[], [1, 0], [0, 0], [3], [-1]].map((without) => ({
    what: `a service of three replicas without ${without.join(" and ") || "nothing"}`,
    changes: [{ table: "workloads", key: api.uid, row: { ...api, without } }],
  })),
  "tokens-have-users": [
    {
      what: "a user who leaves a token behind",
      before: {
        ...state,
        tokens: new Map([
          [
            "t",
            {
              id: "t",
              user: "alice",
              role: "user",
              hash: "",
              created_ms: 1,
              expires_ms: null,
              revoked_ms: null,
              joins: null,
              parent: null,
            } as const,
          ],
        ]),
      },
      changes: [gone("users", "alice")],
      actor: "olga",
    },
  ],
  ...OTHER_CASES,
};

describe("a law", () => {
  for (const [law, cases] of Object.entries(CASES)) {
    for (const { what, before = state, changes, actor = "plan", row = "", hasEnded } of cases) {
      test(`${law} is broken by ${what}`, () => {
        const broken = brokenBy(before, changes, actor, hasEnded ? { hasEnded: () => true } : {});
        expect(broken?.law).toBe(law);
        expect(broken?.rows.join("\n")).toContain(row);
      });
    }
  }
  test("is never without a transaction that breaks it, and has a name of its own", () => {
    expect(Object.keys(CASES)).toEqual(LAWS.map(({ name }) => name));
  });
  test.each(["node-capacity", "card-capacity", "ports-unique"])("%s names the node on which it is broken", (law) => {
    const [{ before = state, changes }] = CASES[law] as [(typeof CASES)[string][number]];
    expect(breachOf(momentOf(before, changes, "plan"))?.nodes).toEqual([box.id]);
  });
  test("is told with its name, who broke it and the rows", () => {
    const [law] = LAWS;
    expect(sayBreach({ law: law!, rows: ["web.api.0"] }, "plan")).toBe(
      `law task-moves is broken by plan (${law!.says}): web.api.0`,
    );
  });
});

describe("what breaks none", () => {
  const keeps = (what: string, changes: readonly Change[], actor = "plan", before: State = state): void =>
    test(what, () => expect(brokenBy(before, changes, actor)).toBeNull());

  keeps("a placement", placing(placed()));
  keeps("an end that its agent reports", [gone("tasks", living.uid), ended(living)], "node box");
  keeps(
    "a task that is lost to an operator",
    [gone("tasks", living.uid), ended(living, buildFinal({ state: "lost" }))],
    "olga",
  );
  keeps("a version beside the one that it replaces", placing(placed({ slot: 0, attempt: 2 })), "plan", {
    ...state,
    tasks: new Map([[living.uid, { ...living, version: 0 }]]),
  });
  keeps(
    "what a machine that has shrunk still holds",
    [slot(buildSlot(living))],
    "plan",
    withNode({ capacity: { ...box.capacity, cpu_milli: 1 } }),
  );
  keeps(
    "what is placed beside it and asks for nothing of that",
    placing(placed({ promised: { cpu_milli: 0 } })),
    "plan",
    withNode({ capacity: { ...box.capacity, cpu_milli: 1 } }),
  );
  const winner = buildTask(run, "box");
  keeps(
    "a run that succeeds and leaves by one pass",
    [
      gone("runs", run.uid),
      { table: "ended_runs", key: run.uid, row: { ...run, state: "succeeded" } },
      { table: "slots", key: buildSlot(winner).key, row: null },
    ],
    "plan",
    {
      ...state,
      slots: new Map([
        [buildSlot(winner).key, buildSlot(winner, { ends: [buildEnd(winner, { state: "succeeded" })] })],
      ]),
    },
  );
});

test("one in eight large passes is checked in production, and every other commit", () => {
  const skipped = (actor: string, rows: number): number =>
    Array.from({ length: 80 }, (_, revision) => isSkipped(actor, rows, revision)).filter(Boolean).length;
  expect([skipped("plan", 301), skipped("plan", 300), skipped("node a", 5_000)]).toEqual([70, 0, 0]);
});
