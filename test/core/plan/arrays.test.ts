// Arrays from their first batch to their end, on nodes that run, fail, lose and give back elements by chance: each
// element gets one end, and none more attempts than it may have.

import { describe, expect, test } from "bun:test";
import { countOf, freshArray, indicesOf, parseArray, type ArrayDecl } from "../../../src/core/model/array";
import type { ElementEnd, ElementResult } from "../../../src/core/model/array";
import { endIn, PAGE_ELEMENTS, pageKey, statesIn } from "../../../src/core/model/pages";
import type { Reported, TaskReport } from "../../../src/core/model/record";
import type { Change, State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { identityIn } from "../../../src/core/model/new-task";
import { observe, observeInventory } from "../../../src/core/intake/observe";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { plan } from "../../../src/core/plan/plan";
import { withChanges } from "../../../src/core/plan/changes";
import { buildNode, buildRequest, buildRun, buildSnapshot, buildSpec, buildState, uidOf } from "../../support/build";
import { brokenBy } from "../../support/moment";
import { buildUser } from "../../support/users";
import { diceOf, type Dice } from "../../support/random";

const array = (text: string): ArrayDecl => {
  const read = parseArray(text);
  if ("wrong" in read) throw new Error(read.wrong);
  return read;
};

const small = buildSpec({ request: buildRequest({ cpu_milli: 1_000, memory_bytes: 1 }) });
const large = buildSpec({ request: buildRequest({ cpu_milli: 3_000, memory_bytes: 1 }) });

/** A cluster with one array, whose nodes do what the dice say. */
class Life {
  state: State;
  now_ms = 1_800_000_000_000;
  /** How often each element was begun, and the tasks that have ended. */
  readonly begun = new Map<number, number>();
  readonly ended = new Map<string, TaskRow>();
  readonly events: string[] = [];
  /** What each batch has done so far, as its node knows it. */
  readonly done = new Map<string, { results: ElementResult[]; order: number[]; only: number | null; places: number }>();
  /** How long an element takes at most. Of long ones each place gets one at a time. */
  longest_ms = 400;
  #seed = 0;

  constructor(text: string, retries: number, nodes = 3) {
    this.state = buildState({
      cluster: { next_run: 2, next_ordinal: nodes },
      nodes: Array.from({ length: nodes }, (_, n) =>
        buildNode(`n${n}`, {
          ordinal: n,
          facts: { takes_arrays: true },
          capacity: { cpu_milli: 4_000, memory_bytes: 1_000 },
        }),
      ),
      runs: [buildRun(1, "s", { array: freshArray(array(text)), settings: { retries, on_node_loss: "requeue" } })],
      users: [buildUser("alice")],
    });
  }

  put(changes: readonly Change[], actor: string): void {
    const broken = brokenBy(this.state, changes, actor, { hasEnded: (uid) => this.ended.has(uid) });
    if (broken !== null) throw new Error(`${broken.law}: ${broken.rows.join("; ")}`);
    for (const change of changes) {
      if (change.table === "ended_tasks") this.ended.set(change.key, change.row);
      if (change.table === "events" && change.row !== null) this.events.push(change.row.detail);
    }
    const { cluster } = this.state;
    const next = withChanges(this.state, changes);
    this.state = { ...next, cluster: { ...next.cluster, revision: cluster.revision + 1 } };
  }

  /** Plans until nothing changes. */
  plan(): void {
    for (let pass = 0; pass < 50; pass++) {
      const snapshot = buildSnapshot(this.state, { specs: { s: small, large }, now_ms: this.now_ms });
      const planned = plan({ ...snapshot, seed: uidOf(`seed ${this.#seed++}`) });
      if (planned.changes.length === 0) return;
      this.put(planned.changes, "plan");
    }
    throw new Error("the plan never rests");
  }

  get run() {
    return this.state.runs.get(uidOf("run 1"));
  }

  report(task: TaskRow, reported: Reported, told = true): void {
    const known = this.done.get(task.uid)!;
    const entry: TaskReport = {
      uid: task.uid,
      name: "",
      identity: told ? identityIn(task) : null,
      grant_until: task.attempt,
      held: null,
      exclusive: false,
      unix_user: null,
      reported,
      ...(told ? { results: { from: 0, results: known.results, places: known.places, only: known.only } } : {}),
    };
    this.put(observe(this.state, task.node_id, [entry], this.context()).changes, `node ${task.node_id}`);
  }

  /** The node's machine was restarted, and its disk is gone: its inventory has nothing. */
  wipe(node_id: string): void {
    const node = this.state.nodes.get(node_id)!;
    const applied = { timeline: this.state.cluster.timeline, revision: this.state.cluster.revision, since: 0 };
    const inventory = { boot_id: `${node.boot_id}+`, entries: [], unreadable: [], applied };
    this.put(observeInventory(this.state, node_id, inventory, this.context()).changes, `node ${node_id}`);
  }

  context() {
    return {
      now_ms: this.now_ms,
      revision: this.state.cluster.revision + 1,
      limits: DEFAULT_LIMITS,
      seed: uidOf(`seed ${this.#seed++}`),
      hasEnded: (uid: string) => this.ended.has(uid),
      hasGrave: () => false,
      isAssigned: () => true,
    };
  }

  /** Lets a batch run on: some of its elements end, its time may be over, and it may end. */
  step(task: TaskRow, dice: Dice, endOf: (index: number, attempt: number) => ElementEnd): void {
    const batch = task.batch!;
    let known = this.done.get(task.uid);
    if (known === undefined) {
      known = { results: [], order: [...indicesOf(batch.parts)], only: null, places: batch.places };
      this.done.set(task.uid, known);
    }
    const end = known.only ?? known.order.length;
    const until = Math.min(end, known.results.length + dice.below(5));
    for (const index of known.order.slice(known.results.length, until)) {
      this.begun.set(index, (this.begun.get(index) ?? 0) + 1);
      known.results.push([index, endOf(index, batch.round), dice.below(this.longest_ms)]);
    }
    if (known.only === null && dice.chance(0.2)) known.only = Math.min(end, known.results.length + dice.below(3));
    const left = (known.only ?? known.order.length) - known.results.length;
    known.places = Math.min(known.places, Math.max(left, 1));
    if (left <= 0) {
      this.report(task, {
        state: "succeeded",
        started_age_ms: 10,
        finished_age_ms: 0,
        exit_code: 0,
        signal: null,
        reason: null,
        peak_memory_bytes: null,
        tail: null,
        next: null,
      });
    } else this.report(task, { state: "running", pid: 1, started_age_ms: 0 });
  }

  states(): string[] {
    const { array: now } = this.run!;
    const count = countOf(now!);
    const pages = Math.ceil(count / PAGE_ELEMENTS);
    return Array.from({ length: pages }, (_, page) => statesIn(this.state.elements.get(pageKey(this.run!.uid, page))))
      .flat()
      .slice(0, count);
  }
}

describe("arrays", () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed))(
    "come to their end, whatever their nodes do (%i)",
    (seed) => {
      const dice = diceOf(seed);
      const text = dice.pick(["0-99", "5-60:5", "0-2500", "1-40%3", "0-0"]);
      const retries = dice.below(3);
      const life = new Life(text, retries);
      if (seed % 2 === 0) life.longest_ms = 20_000;
      const bad = new Set(Array.from({ length: 200 }, () => dice.below(2_501)));
      const endOf = (index: number, attempt: number): ElementEnd =>
        !bad.has(index) ? 0 : index % 3 === 0 ? 7 : index % 3 === 1 && attempt > 1 ? 0 : "KILL";
      const most = Math.min(12, array(text).limit ?? 12);
      let last: string[] = [];
      for (let tick = 0; life.run !== undefined; tick++) {
        if (tick > 20_000) throw new Error(`seed ${seed}: no end`);
        life.plan();
        if (life.run === undefined) break;
        const open = [...life.state.tasks.values()];
        const places = open.reduce((sum, { batch }) => sum + batch!.places, 0);
        expect(places).toBeLessThanOrEqual(most);
        for (const task of open) expect(task.promised.cpu_milli).toBe(task.batch!.places * 1_000);
        last = life.states();
        const task = dice.pick(open);
        if (dice.chance(0.01)) life.wipe(task.node_id);
        else life.step(task, dice, endOf);
        if (life.run?.state === "running") last = life.states();
        life.now_ms += 50;
      }
      const count = countOf(array(text));
      expect(last).toHaveLength(count);
      const ends = last.map(endIn);
      expect(ends.filter((end) => end === null)).toEqual([]);
      // What would succeed does, unless its node went away under it.
      const wrong = ends.filter((end, index) => !bad.has(index) && ![0, "lost", "unknown"].includes(end!));
      expect(wrong).toEqual([]);
      expect(Math.max(...life.begun.values())).toBeLessThanOrEqual(1 + retries + DEFAULT_LIMITS.loss_limit);
    },
  );
});

test("a batch knows how many of its elements have not succeeded, also of those that are tried again", () => {
  const life = new Life("0-99", 1, 1);
  const dice = diceOf(1);
  while (life.run !== undefined) {
    life.plan();
    for (const task of life.state.tasks.values()) life.step(task, dice, (index) => (index < 7 ? 3 : 0));
  }
  const failedIn = (round: number): number =>
    [...life.ended.values()].reduce((sum, { batch }) => sum + (batch?.round === round ? (batch.failed ?? 0) : 0), 0);
  expect([failedIn(1), failedIn(2)]).toEqual([7, 7]);
  const said = life.events.join("\n");
  expect(said).toContain("new, 100 elements");
  expect(said).toContain("93 of 100 elements are over, attempt 2");
});

test("a round that is not the first says so, also before anything of the array is over", () => {
  const life = new Life("0-9", 1, 1);
  const dice = diceOf(1);
  while (life.run !== undefined) {
    life.plan();
    for (const task of life.state.tasks.values()) life.step(task, dice, () => 3);
  }
  const said = life.events.join("\n");
  expect(said).toContain("0 of 10 elements are over, attempt 2");
  // What all have in common is said once.
  expect(said).toContain("10 of 10 elements did not succeed, each: exit code 3 (0, 1, 2, 3, 4 …)");
});

test("a batch that was given up is stopped once its node is heard again: its elements are tried elsewhere", () => {
  const life = new Life("0-99", 0, 1);
  life.plan();
  const [task] = [...life.state.tasks.values()];
  if (task === undefined) throw new Error("nothing was placed");
  const written_off = { at_ms: life.now_ms, why: "its node is silent" };
  const row: TaskRow = { ...task, written_off, observed: { state: "running", pid: 0, started_ms: life.now_ms } };
  life.state = withChanges(life.state, [{ table: "tasks", key: task.uid, row }]);
  expect(life.state.tasks.get(task.uid)?.desired).toBe("run");
  life.plan();
  expect(life.state.tasks.get(task.uid)).toMatchObject({
    desired: "stop",
    stop: { why: "it was given up while its node was silent" },
  });
});

test("what is more urgent gets the room of batches as they end, also if they never end together", () => {
  const dice = diceOf(1);
  const life = new Life("0-99999", 0, 1);
  const array = (): TaskRow[] => [...life.state.tasks.values()].filter(({ owner_uid }) => owner_uid === uidOf("run 1"));
  // Its batches have one place each, and end one after the other.
  life.longest_ms = 5_000;
  const step = (): void => {
    life.plan();
    const [task] = array().toSorted((a, b) => a.created_ms - b.created_ms);
    life.step(task!, dice, () => 0);
    life.now_ms += 300;
  };
  while (array().length < 4) step();
  const urgent = buildRun(2, "large", { settings: { priority: 9 }, created_ms: life.now_ms });
  life.state = withChanges(life.state, [{ table: "runs", key: urgent.uid, row: urgent }]);
  const isPlaced = (): boolean => life.state.tasks.values().some(({ owner_uid }) => owner_uid === urgent.uid);
  const began_ms = life.now_ms;
  while (!isPlaced() && life.now_ms < began_ms + DEFAULT_LIMITS.patience_ms) step();
  expect(life.now_ms - began_ms).toBeLessThan(60_000);
});
