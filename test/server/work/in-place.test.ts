// A changed setting does what the plan says of it: each key of the table is changed in a running server, and what
// follows is looked at.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { PLAIN_DEVICE } from "../../../src/core/model/device";
import type { Reported } from "../../../src/core/model/record";
import type { RunRow, SlotRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { PlanLimits } from "../../../src/core/pass/snapshot";
import { type Effect, SETTINGS_EFFECTS } from "../../../src/core/model/settings";
import type { RestartSettings, Settings } from "../../../src/core/model/workload";
import { GIB, MINUTE_MS, SECOND_MS } from "../../../src/core/units";
import { SAID } from "../../../src/spec/diff";
import type { Verb } from "../../../src/core/model/record";
import { reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { handAgent, type HandAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let agent: HandAgent;
const CARD = { ...PLAIN_DEVICE, id: "GPU-1", vendor: "nvidia", model: "A100", memory_bytes: 80 * GIB } as const;

async function begin(limits: Partial<PlanLimits> = {}): Promise<void> {
  stage = await makeStage({ limits });
  agent = await handAgent(stage, "box1", { devices: [CARD] }, { sets: true });
}

beforeEach(async () => begin());
afterEach(async () => stage.close());

const tasks = (): TaskRow[] =>
  stage.api.store.state.tasks
    .values()
    .toArray()
    .sort((a, b) => a.slot - b.slot || a.attempt - b.attempt);
const run = (number = 1): RunRow | undefined => stage.api.store.state.runs.values().find((row) => row.run === number);
const slot = (): SlotRow | undefined => stage.api.store.state.slots.values().next().value;
const verbs = (): Verb[] => agent.heard.flatMap((one) => (one.type === "changes" ? one.changes : []));

/** Applies a spec, and returns what is said of each workload, by name. */
async function apply(text: string): Promise<Record<string, string>> {
  const body = { text: `app: a\n${text}\n`, file: "f", revision: null };
  const answer = await stage.call("PUT", "/v1/apps/lab/a", { as: "admin", body });
  expect(answer.body.error).toBeUndefined();
  await stage.planned();
  const changes = answer.body["changes"] as { name: string; detail: string }[];
  return Object.fromEntries(changes.map(({ name, detail }) => [name, detail]));
}

const service = (settings: string): string =>
  `services:\n  w: { run: sleep 9, user: alice, resources: { cpu: 1 }, ${settings} }`;
const job = (settings: string, name = "w"): string =>
  `jobs:\n  ${name}: { run: sleep 9, user: alice, resources: { cpu: 1 }, ${settings} }`;

async function report(task: TaskRow | undefined, reported: Reported): Promise<void> {
  if (task === undefined) throw new Error("there is no task");
  agent.report([reportOf(task, reported)]);
  await waitUntil(
    "the report",
    () => stage.api.store.state.tasks.get(task.uid)?.observed.state !== task.observed.state,
  );
  await stage.planned();
}

const runs = async (): Promise<void> => report(tasks()[0], { state: "running", pid: 7, started_age_ms: 0 });

const ends = async (state: "failed" | "unknown"): Promise<void> =>
  report(tasks()[0], {
    state,
    reason: null,
    started_age_ms: 5,
    finished_age_ms: 1,
    exit_code: state === "failed" ? 3 : null,
    signal: null,
    peak_memory_bytes: null,
    tail: null,
    next: null,
  });

/** Changes the settings of `w`, and checks that the plan says when each key acts. */
async function change(text: string, ...keys: readonly (readonly [fact: string, effect: Effect])[]): Promise<void> {
  const said = (await apply(text))["w"] ?? "";
  for (const [fact, effect] of keys) {
    expect(said).toMatch(new RegExp(`\\b${fact.replace(".", "\\.")}: [^()]* -> [^()]* \\(${SAID[effect]}\\)`));
  }
}

/** The task's agent is told of settings once, whatever else is told to it. */
async function told(): Promise<Extract<Verb, { verb: "set" }> | undefined> {
  await waitUntil("the agent to be told", () => verbs().some(({ verb }) => verb === "set"));
  return verbs().findLast((verb) => verb.verb === "set");
}

/** The wait of a slot whose newest attempt crashed as the n-th in a row. */
async function waitAfterCrash(): Promise<number> {
  await runs();
  await ends("failed");
  return (slot()?.not_before_ms ?? 0) - stage.clock;
}

async function crashedBefore(streak: number): Promise<void> {
  await stage.api.store.commit("test", (draft) => {
    for (const row of draft.state.slots.values()) {
      draft.put([{ table: "slots", key: row.key, row: { ...row, streak } }]);
    }
  });
}

async function withEnds(): Promise<void> {
  // The streak belongs to a version whose end is known.
  await runs();
  await ends("failed");
  await waitUntil("the next attempt", () => tasks().length === 1 && tasks()[0]?.attempt === 2);
}

/** What a change of each setting does, while a task runs. */
const CASES = {
  async replicas(effect) {
    await apply(service("replicas: 1"));
    await runs();
    await change(service("replicas: 2"), ["replicas", effect]);
    expect(tasks().map(({ slot: n, desired }) => [n, desired])).toEqual([
      [0, "run"],
      [1, "run"],
    ]);
  },

  async priority(effect) {
    const all = (priority: number): string =>
      `jobs:\n  big: { run: x, user: alice, resources: { cpu: 8 } }\n` +
      `  first: { run: x, user: alice, resources: { cpu: 8 } }\n` +
      `  w: { run: x, user: alice, resources: { cpu: 8 }, priority: ${priority} }`;
    await apply(all(0));
    const order = async (): Promise<unknown> => {
      const { body } = await stage.call("GET", "/v1/runs");
      const queued = (body["runs"] as { name: string; position: number | null }[]).filter(
        (one) => one.position !== null,
      );
      return queued.sort((a, b) => (a.position ?? 0) - (b.position ?? 0)).map(({ name }) => name);
    };
    expect(await order()).toEqual(["a.first", "a.w"]);
    await change(all(5), ["priority", effect]);
    expect(await order()).toEqual(["a.w", "a.first"]);
  },

  async labels(effect) {
    await apply(job("labels: { team: a }"));
    await change(job("labels: { team: b }"), ["labels.team", effect]);
    expect(run()?.settings.labels).toEqual({ team: "b" });
  },

  async stop(effect) {
    await apply(service("stop: { signal: TERM, grace: 10s }"));
    await runs();
    await change(service("stop: { signal: INT, grace: 3s }"), ["stop", effect]);
    expect((await told())?.settings.stop).toEqual({ signal: "INT", grace_ms: 3_000 });
    await apply(service("stop: { signal: INT, grace: 3s }, replicas: 0"));
    await waitUntil("the stop", () => verbs().some(({ verb }) => verb === "stop"));
    expect(verbs().find(({ verb }) => verb === "stop")).toMatchObject({ signal: "INT", grace_ms: 3_000 });
  },

  async "restart.backoff_min_ms"(effect) {
    await apply(service("restart: { backoff: 1s..10m }"));
    await withEnds();
    await change(service("restart: { backoff: 5m..10m }"), ["restart.backoff", effect]);
    expect((await told())?.settings.restart.backoff_min_ms).toBe(5 * MINUTE_MS);
    expect(await waitAfterCrash()).toBeGreaterThan(3 * MINUTE_MS);
  },

  async "restart.backoff_max_ms"(effect) {
    await apply(service("restart: { backoff: 1s..10m }"));
    await withEnds();
    await crashedBefore(30);
    await change(service("restart: { backoff: 1s..20s }"), ["restart.backoff", effect]);
    expect(await waitAfterCrash()).toBeWithin(10 * SECOND_MS, 30 * SECOND_MS);
  },

  async "restart.attempts"(effect) {
    await apply(service("restart: { attempts: 0 }"));
    await runs();
    await ends("failed");
    expect(tasks()).toEqual([]);
    await change(service("restart: { attempts: 3 }"), ["restart.attempts", effect]);
    expect(tasks()).toHaveLength(1);
  },

  async "restart.offline"(effect) {
    await apply(service("restart: { offline: false }"));
    await runs();
    await change(service("restart: { offline: true }"), ["restart.offline", effect]);
    const granted = (): boolean[] => tasks().map(({ attempt, grant_until }) => grant_until > attempt);
    expect(granted()).toEqual([false]);
    await ends("failed");
    expect(granted()).toEqual([true]);
  },

  async on_node_loss(effect) {
    await stage.close();
    await begin({ unreachable_after_ms: SECOND_MS, requeue_after_ms: 2 * SECOND_MS });
    await apply(job("on_node_loss: wait"));
    await runs();
    await silent();
    expect(tasks()).toHaveLength(1);
    await change(job("on_node_loss: requeue"), ["on_node_loss", effect]);
    expect(tasks().map(({ written_off }) => written_off !== null)).toEqual([true, false]);
  },

  async on_unknown_end(effect) {
    await apply(job("on_unknown_end: ask"));
    await runs();
    await ends("unknown");
    expect(run()?.state).toBe("running");
    await change(job("on_unknown_end: fail"), ["on_unknown_end", effect]);
    expect((await stage.call("GET", "/v1/runs/1")).body).toMatchObject({ state: "failed", cause: "result_unknown" });
  },

  async retries(effect) {
    await apply(job("retries: 0"));
    await runs();
    await change(job("retries: 1"), ["retries", effect]);
    await ends("failed");
    expect(tasks().map(({ attempt }) => attempt)).toEqual([2]);
  },

  async time_limit_ms(effect) {
    await apply(job("time_limit: 1h"));
    await runs();
    await change(job("time_limit: 2h"), ["time_limit", effect]);
    expect((await told())?.settings.time_limit_ms).toBe(120 * MINUTE_MS);
    expect(run()?.settings.time_limit_ms).toBe(120 * MINUTE_MS);
  },

  async after(effect) {
    const all = (after: string, command = "x"): string =>
      `jobs:\n  one: { run: x, user: alice }\n  two: { run: x, user: alice }\n` +
      `  w: { run: ${command}, user: alice, after: [${after}] }`;
    await apply(all("one"));
    await change(all("two"), ["after", effect]);
    expect(run(3)?.after.map(({ name }) => name)).toEqual(["one"]);
    await apply(all("two", "z"));
    expect(run(4)?.after.map(({ name }) => name)).toEqual(["two"]);
  },

  async array(effect) {
    const elements = (number?: number): unknown => [run(number)?.array?.last, run(number)?.settings.array?.last];
    await apply(job("array: 0-9"));
    await change(job("array: 0-4%2"), ["array", effect]);
    expect(elements()).toEqual([9, 9]);
    await stage.call("POST", "/v1/workloads/lab/a/w/run", { body: {} });
    expect(elements(2)).toEqual([4, 4]);
    await change(job(""), ["array", effect]);
    expect(elements(2)).toEqual([4, 4]);
    await stage.call("POST", "/v1/workloads/lab/a/w/run", { body: {} });
    await change(job("array: 0-4%2"), ["array", effect]);
    expect(elements(3)).toEqual([undefined, undefined]);
  },

  async idle(effect) {
    const asks = "resources: { gpu: 1, cpu: 1 }";
    const text = (idle: string): string => `jobs:\n  w: { run: sleep 9, user: alice, ${asks}${idle} }`;
    await apply(text(""));
    await runs();
    await change(text(", idle: { for: 1m, then: stop, only_if_wanted: false }"), ["idle", effect]);
    for (let passed = 0; passed < 2 * MINUTE_MS; passed += 5_000) {
      const reading = { ...IDLE_CARD, clock_mhz: passed };
      agent.heartbeat();
      agent.say({ type: "readings", readings: [reading] });
      await waitUntil("it", () => stage.api.readings.of(agent.node_id).get(CARD.id)?.clock_mhz === passed);
      stage.clock += 5_000;
    }
    await stage.planned();
    await waitUntil("the stop", () => verbs().some(({ verb }) => verb === "stop"));
  },
} satisfies Record<Exclude<keyof Required<Settings>, "restart"> | `restart.${keyof RestartSettings}`, Prove>;

type Prove = (effect: Effect) => Promise<void>;

const IDLE_CARD = {
  id: CARD.id,
  age_ms: 0,
  stale: false,
  memory_used_bytes: 0,
  utilization_percent: 0,
  temperature_celsius: null,
  power_watts: null,
  clock_mhz: null,
  throttled: null,
  ecc_errors: null,
  processes: [],
};

/** Lets the node of the task fall silent, beside others that are heard. */
async function silent(): Promise<void> {
  const others = await Promise.all(["box2", "box3", "box4"].map(async (name) => handAgent(stage, name)));
  agent.hangUp();
  await waitUntil("the silence", () => {
    stage.clock += SECOND_MS;
    for (const other of others) other.heartbeat();
    return (stage.api.loop.contacts().get(agent.node_id)?.silent_ms ?? 0) > 2 * SECOND_MS;
  });
  await stage.planned();
}

const RULES = Object.entries(SETTINGS_EFFECTS).flatMap(([key, rule]): [string, Effect][] =>
  "effect" in rule
    ? [[key, rule.effect]]
    : Object.entries(rule).map(([part, { effect }]) => [`${key}.${part}`, effect]),
);

test.each(RULES)("%s acts as its table says: %s", async (key, effect) => CASES[key as keyof typeof CASES](effect));

test("an agent that does not take changed settings is told none", async () => {
  agent.hangUp();
  agent = await handAgent(stage, "old");
  await apply(job("time_limit: 1h, place: { hosts: [old] }"));
  await runs();
  await apply(job("time_limit: 2h, place: { hosts: [old] }"));
  await stage.planned();
  expect(verbs().map(({ verb }) => verb)).toEqual(["assign"]);
});

test("a run of an earlier version keeps its settings, and the plan says that the new run has them", async () => {
  await apply(job("time_limit: 1h"));
  await runs();
  const said = await apply("jobs:\n  w: { run: sleep 10, user: alice, resources: { cpu: 1 }, time_limit: 2h }");
  expect(said["w"]).toContain("in place: time_limit: 1h -> 2h (with the new run)");
  await apply("jobs:\n  w: { run: sleep 10, user: alice, resources: { cpu: 1 }, time_limit: 3h }");
  expect([run(1), run(2)].map((row) => row?.settings.time_limit_ms)).toEqual([60 * MINUTE_MS, 180 * MINUTE_MS]);
});
