// A large demand starts although smaller ones take every card that becomes free.

import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { plan } from "../../../src/core/plan/plan";
import { GIB, MINUTE_MS, type Ms } from "../../../src/core/units";
import {
  buildDevice,
  buildGpu,
  buildNode,
  buildRequest,
  buildRun,
  buildSpec,
  buildState,
  buildWorkload,
  NOW_MS,
  uidOf,
} from "../../support/build";
import { diceOf } from "../../support/random";
import { end, put, snapshotOf, type RandomCluster } from "../../support/random-cluster";

const STEP_MS = MINUTE_MS / 2;
const LONGEST_MS = 20 * MINUTE_MS;
const CARDS = 8;

/** A node of 8 cards, or two of 4, with runs of 5 to 20 minutes that ask for 130 % of it. */
class Stream {
  readonly cluster: RandomCluster;
  readonly #dice = diceOf(7);
  readonly #ends = new Map<number, Ms>();
  #due = 0;

  constructor(
    nodes: number,
    private readonly patience_ms: Ms,
    private readonly limited: boolean,
  ) {
    const list = Array.from({ length: nodes }, (_, n) =>
      buildNode(`n${n}`, {
        ordinal: n + 1,
        devices: Array.from({ length: CARDS / nodes }, (_, index) => buildDevice(`n${n}-${index}`, { index })),
      }),
    );
    const contacts = new Map(list.map((node) => [node.id, { connected: true, silent_ms: 0 }]));
    this.cluster = {
      state: buildState({ nodes: list }),
      now_ms: NOW_MS,
      specs: new Map(),
      contacts,
      idle: new Map(),
      runs: 0,
      passes: 0,
    };
  }

  submit(count: number, members = 1, lasts_ms: Ms = (5 + this.#dice.below(16)) * MINUTE_MS): number {
    const { cluster } = this;
    const run = ++cluster.runs;
    cluster.specs.set(`run ${run}`, buildSpec({ members, request: buildRequest({ gpu: buildGpu({ count }) }) }));
    const settings = this.limited ? { time_limit_ms: LONGEST_MS } : {};
    const row = buildRun(run, `run ${run}`, { created_ms: cluster.now_ms, settings });
    put(cluster, { table: "runs", key: row.uid, row });
    this.#ends.set(run, lasts_ms);
    return run;
  }

  /** Makes a run without an end that wants these cores. Returns its number. */
  submitCores(cpu_milli: number, pool: string): number {
    const run = this.submit(1, 1, Number.POSITIVE_INFINITY);
    this.cluster.specs.set(`run ${run}`, buildSpec({ request: buildRequest({ cpu_milli }), place: { pool } }));
    return run;
  }

  runs(run: number): boolean {
    return this.cluster.state.tasks.values().some((task) => task.run === run);
  }

  /** Makes two runs of an app that want one node: one with all cards, one with a core. Returns their numbers. */
  submitCompany(): readonly number[] {
    const big = this.submit(CARDS);
    const small = this.submit(1);
    const { cluster } = this;
    const request = buildRequest({ cpu_milli: 1_000, memory_bytes: GIB });
    cluster.specs.set(`run ${small}`, buildSpec({ request, place: { together_with: ["big"] } }));
    for (const [run, name] of [
      [big, "big"],
      [small, "small"],
    ] as const) {
      const row = [...cluster.state.runs.values()].find((each) => each.run === run);
      const inApp = { name: `app.${name}`, app: "app", app_uid: uidOf("app"), workload_uid: uidOf(`app.${name}`) };
      if (row !== undefined) put(cluster, { table: "runs", key: row.uid, row: { ...row, ...inApp } });
    }
    return [big, small];
  }

  /** Goes on by one step. Returns the numbers of the runs that started. */
  step(): number[] {
    const { cluster } = this;
    cluster.now_ms += STEP_MS;
    this.#due += (1.3 * CARDS * STEP_MS) / (12.5 * MINUTE_MS);
    for (; this.#due >= 1; this.#due--) this.submit(1);
    for (const task of cluster.state.tasks.values()) {
      if (
        task.observed.state === "running" &&
        task.observed.started_ms + (this.#ends.get(task.run ?? 0) ?? 0) <= cluster.now_ms
      )
        end(cluster, task, "succeeded", 0);
    }
    const started: number[] = [];
    for (let passes = 0; passes < 4; passes++) {
      const limits = { ...DEFAULT_LIMITS, patience_ms: this.patience_ms };
      const { ops, changes } = plan({ ...snapshotOf(cluster), limits });
      put(cluster, ...changes);
      for (const op of ops) if (op.op === "place") started.push(op.task.run ?? 0);
    }
    for (const task of cluster.state.tasks.values()) {
      const row = { ...task, observed: { state: "running", pid: 1, started_ms: task.created_ms } as const };
      put(cluster, { table: "tasks", key: task.uid, row });
    }
    return started;
  }

  /** Returns how long runs wait until all start, or null if they wait for longer than six hours. */
  waitOf(...runs: readonly number[]): Ms | null {
    const from = this.cluster.now_ms;
    const started = new Set<number>();
    while (this.cluster.now_ms - from < 360 * MINUTE_MS) {
      for (const run of this.step()) started.add(run);
      if (runs.every((run) => started.has(run))) return this.cluster.now_ms - from;
    }
    return null;
  }
}

describe("a demand that has waited for long", () => {
  for (const limited of [true, false]) {
    test(`starts by the end of what runs after its patience, ${limited ? "with" : "without"} time limits`, () => {
      const stream = new Stream(1, DEFAULT_LIMITS.patience_ms, limited);
      for (let n = 0; n < 40; n++) stream.step();
      const waited_ms = stream.waitOf(stream.submit(CARDS)) ?? Number.POSITIVE_INFINITY;
      expect(waited_ms).toBeGreaterThanOrEqual(DEFAULT_LIMITS.patience_ms);
      expect(waited_ms).toBeLessThanOrEqual(DEFAULT_LIMITS.patience_ms + LONGEST_MS + STEP_MS);
    });
  }
  test("starts as a gang, on the nodes that are free first", () => {
    const stream = new Stream(2, DEFAULT_LIMITS.patience_ms, true);
    for (let n = 0; n < 40; n++) stream.step();
    const waited_ms = stream.waitOf(stream.submit(CARDS / 2, 2)) ?? Number.POSITIVE_INFINITY;
    expect(waited_ms).toBeLessThanOrEqual(DEFAULT_LIMITS.patience_ms + LONGEST_MS + STEP_MS);
  });
  for (const limited of [true, false]) {
    test(`starts with its company, as a whole, ${limited ? "with" : "without"} time limits`, () => {
      const stream = new Stream(1, DEFAULT_LIMITS.patience_ms, limited);
      for (let n = 0; n < 40; n++) stream.step();
      const waited_ms = stream.waitOf(...stream.submitCompany()) ?? Number.POSITIVE_INFINITY;
      expect(waited_ms).toBeGreaterThanOrEqual(DEFAULT_LIMITS.patience_ms);
      expect(waited_ms).toBeLessThanOrEqual(DEFAULT_LIMITS.patience_ms + LONGEST_MS + STEP_MS);
    });
  }
  test("is told where room is kept for its company", () => {
    const stream = new Stream(1, MINUTE_MS, true);
    for (let n = 0; n < CARDS; n++) stream.submit(1);
    stream.step();
    stream.submitCompany();
    for (let n = 0; n < 3; n++) stream.step();
    const small = stream.submit(1);
    const limits = { ...DEFAULT_LIMITS, patience_ms: MINUTE_MS };
    const { blocked } = plan({ ...snapshotOf(stream.cluster), limits });
    const of = (name: string): string[] => blocked.filter((one) => one.name === name).map(({ summary }) => summary);
    for (const name of ["app.big.0", "app.small.0"]) {
      expect(of(name)).toEqual([expect.stringMatching(/^waits: 0 of 1 node with room for app.big and app.small: /)]);
      expect(of(name)).toEqual([expect.stringMatching(/; it has waited for long, so room is kept for it on n0$/)]);
    }
    const checks = blocked.find(({ name }) => name === String(small))?.nodes.flatMap((node) => node.checks);
    expect(JSON.stringify(checks)).toContain("room for lab/app.big.0, which has waited for 1m30s");
  });
  test("a service that never ran has patience too, since it is wanted", () => {
    const stream = new Stream(1, DEFAULT_LIMITS.patience_ms, true);
    for (let n = 0; n < 40; n++) stream.step();
    const { cluster } = stream;
    cluster.specs.set("web", buildSpec({ request: buildRequest({ gpu: buildGpu({ count: CARDS }) }) }));
    const wanted = [{ from: 0, since_ms: cluster.now_ms }];
    const row = { ...buildWorkload("app", "web", "web"), wanted };
    put(cluster, { table: "workloads", key: row.uid, row });
    const due_ms = cluster.now_ms + DEFAULT_LIMITS.patience_ms + LONGEST_MS + STEP_MS;
    const runs = (): boolean => [...cluster.state.tasks.values()].some(({ owner_uid }) => owner_uid === row.uid);
    while (cluster.now_ms < due_ms && !runs()) stream.step();
    expect(runs()).toBe(true);
  });
  test("starts never where nobody has patience: the stream takes every card", () => {
    const stream = new Stream(1, 100_000 * MINUTE_MS, true);
    for (let n = 0; n < 40; n++) stream.step();
    expect(stream.waitOf(stream.submit(CARDS))).toBeNull();
  });
  test("starts also where as many others as are kept room wait for nodes on which it could not run", () => {
    for (const pool of ["default", "far"]) {
      const other = buildNode("other", { ordinal: 9, pool, capacity: { cpu_milli: 16_000 } });
      const stream = new Stream(1, 30 * MINUTE_MS, true);
      const { cluster } = stream;
      put(cluster, { table: "nodes", key: other.id, row: other });
      cluster.contacts.set(other.id, { connected: true, silent_ms: 0 });
      // One job for ever has the other node, and more than may be kept room wait for all of it.
      const hogs = Array.from({ length: 6 }, () => stream.submitCores(16_000, pool));
      for (let n = 0; n < 80; n++) stream.step();
      expect(hogs.filter((run) => stream.runs(run))).toHaveLength(1);
      expect(stream.waitOf(stream.submit(CARDS))).toBeLessThanOrEqual(30 * MINUTE_MS + LONGEST_MS + STEP_MS);
    }
  });
  test("is told where room is kept for it, and those behind it what keeps the cards", () => {
    const stream = new Stream(1, MINUTE_MS, true);
    for (let n = 0; n < CARDS; n++) stream.submit(1);
    stream.step();
    const big = stream.submit(CARDS);
    for (let n = 0; n < 3; n++) stream.step();
    const small = stream.submit(1);
    const limits = { ...DEFAULT_LIMITS, patience_ms: MINUTE_MS };
    const { blocked } = plan({ ...snapshotOf(stream.cluster), limits });
    const why = (run: number): string => blocked.find(({ name }) => name === String(run))?.summary ?? "";
    const checks = (run: number): string =>
      (blocked.find(({ name }) => name === String(run))?.nodes ?? [])
        .flatMap((node) => node.checks)
        .map(({ detail }) => detail)
        .join();
    expect(why(big)).toEndWith("; it has waited for long, so room is kept for it on n0");
    expect(checks(big)).not.toContain("room for");
    expect(checks(small)).toContain(`room for job-${big} (run ${big}), which has waited for 1m30s`);
  });
});
