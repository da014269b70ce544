// Slots that want to be together are placed as a whole: a leader never goes where its followers do not fit.

import { describe, expect, test } from "bun:test";
import { plan } from "../../../src/core/plan/plan";
import type { Plan } from "../../../src/core/pass/snapshot";
import { GIB } from "../../../src/core/units";
import type { Place, ResourceRequest, TaskSpec } from "../../../src/core/model/workload";
import type { NodeRow } from "../../../src/core/model/rows-node";
import {
  buildDevice,
  buildGpu,
  buildNode,
  buildRequest,
  buildRun,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  NOW_MS,
  buildWorkload,
  uidOf,
} from "../../support/build";

interface Entry {
  readonly request?: Partial<ResourceRequest>;
  readonly place?: Partial<Place>;
  readonly port?: number;
  readonly replicas?: number;
}

/** Plans an app on some nodes. */
function planned(nodes: readonly NodeRow[], entries: Readonly<Record<string, Entry>>, apps = 1): Plan {
  const specs: Record<string, TaskSpec> = {};
  const workloads = Array.from({ length: apps }, (_, n) =>
    Object.entries(entries).map(([name, { request = {}, place = {}, port, replicas = 1 }]) => {
      const ports =
        port === undefined ? [] : [{ name: "http", target: null, published: port, bind: "cluster" as const }];
      const wanted = buildRequest({ cpu_milli: 100, memory_bytes: GIB / 4, ...request });
      specs[name] ??= buildSpec({ origin: "entry", request: wanted, place, ports });
      return buildWorkload(`app${n}`, name, name, { settings: { replicas } });
    }),
  ).flat();
  return plan(buildSnapshot(buildState({ nodes: [...nodes], workloads }), { specs }));
}

const placesOf = ({ ops }: Plan): string[] =>
  ops.flatMap((op) => (op.op === "place" ? [`${op.task.workload}.${op.task.slot} ${op.task.node_id}`] : [])).sort();

const why = ({ blocked }: Plan): string[] => blocked.map(({ name, kind, summary }) => `${kind} ${name}: ${summary}`);

const small = (name: string, ordinal: number, cpu_milli = 1_000): NodeRow =>
  buildNode(name, { ordinal, capacity: { cpu_milli, memory_bytes: 8 * GIB } });
const withCard = (name: string, ordinal: number): NodeRow =>
  buildNode(name, { ordinal, devices: [buildDevice(`${name}-0`)], capacity: { cpu_milli: 2_000 } });

describe("companions", () => {
  test("500 pairs all run on 200 nodes that have room for just two and a half pairs each", () => {
    const nodes = Array.from({ length: 200 }, (_, n) => small(`n${n}`, n + 1, 500));
    const entries = { db: {}, web: { place: { together_with: ["db"] } } };
    // A node holds 5 slots of 100m: two pairs, and half of a third.
    const pairs = planned(nodes, entries, 400);
    expect([placesOf(pairs).length, why(pairs)]).toEqual([800, []]);
    const more = planned(
      nodes.map((node) => ({ ...node, capacity: { ...node.capacity, cpu_milli: 600 } })),
      entries,
      500,
    );
    expect([placesOf(more).length, why(more)]).toEqual([1_000, []]);
  });
  test("a database goes to the node with the card that its follower needs", () => {
    const plan = planned([small("plain", 1, 64_000), withCard("cards", 2)], {
      db: { request: { cpu_milli: 1_000 } },
      llm: { request: { gpu: buildGpu({ count: 1 }) }, place: { together_with: ["db"] } },
    });
    expect(placesOf(plan)).toEqual(["db.0 cards", "llm.0 cards"]);
  });
  test("replicas go in pairs, and followers of followers come along", () => {
    const nodes = [small("a", 1, 300), small("b", 2, 300), small("c", 3, 300)];
    const plan = planned(nodes, {
      db: { replicas: 3 },
      web: { replicas: 3, place: { together_with: ["db"] } },
      log: { replicas: 3, place: { together_with: ["web"] } },
    });
    expect(placesOf(plan)).toHaveLength(9);
    for (const node of ["a", "b", "c"]) {
      const there = placesOf(plan)
        .filter((place) => place.endsWith(node))
        .map((place) => place.slice(0, 3));
      expect(there).toEqual(["db.", "log", "web"]);
    }
  });
  test("wait together while others have the room that all of them need", () => {
    const nodes = [small("a", 1, 1_000)];
    const plan = planned(nodes, {
      aaa: { request: { cpu_milli: 500 } },
      db: { request: { cpu_milli: 300 } },
      web: { request: { cpu_milli: 300 }, place: { together_with: ["db"] } },
    });
    expect(placesOf(plan)).toEqual(["aaa.0 a"]);
    const together = "waits: 0 of 1 node with room for app0.db and app0.web";
    expect(why(plan)).toEqual([
      `queued app0.db.0: ${together}: 1 has too few free cores (most free 200m)`,
      `queued app0.web.0: ${together}: 1 has too few free cores (most free 200m)`,
    ]);
    expect(plan.blocked.map((one) => one.smallest_change)).toEqual([
      "ask for 200m cores (runs now)",
      "drop together_with db (runs now), or ask for 200m cores (runs now)",
    ]);
  });
  test("what can never be together says which rules contradict each other, and the leader runs", () => {
    const plan = planned([small("plain", 1), withCard("cards", 2)], {
      db: { place: { hosts: ["plain"] } },
      llm: { request: { gpu: buildGpu({ count: 1 }) }, place: { together_with: ["db"] } },
    });
    expect(placesOf(plan)).toEqual(["db.0 plain"]);
    expect(why(plan)).toEqual([
      "unsatisfiable app0.llm.0: can never run: app0.db and app0.llm are to be together: " +
        "app0.db can be on plain only, and app0.llm on cards",
    ]);
    expect(plan.blocked[0]?.smallest_change).toBe("drop together_with db (runs now)");
  });
  test("as many followers as fit come along where no node holds them all", () => {
    const plan = planned([small("a", 1, 1_000), small("b", 2, 500)], {
      db: {},
      web: { replicas: 20, place: { together_with: ["db"] } },
    });
    expect(placesOf(plan).filter((place) => place.endsWith(" a"))).toHaveLength(10);
    expect(placesOf(plan)).toContain("db.0 a");
    expect(why(plan)[0]).toBe(
      "unsatisfiable app0.web.9: can never run: " +
        "no node has room for app0.db and the 20 replicas of app0.web that are to be there",
    );
  });
});

test("slots are paired in their order, also where a service was scaled down to others than the first", () => {
  const specs = {
    db: buildSpec({ origin: "entry", request: buildRequest({ cpu_milli: 300 }) }),
    web: buildSpec({ request: buildRequest({ cpu_milli: 400 }), place: { together_with: ["db"] } }),
  };
  const [db, web] = [buildWorkload("shop", "db", "db", { without: [0] }), buildWorkload("shop", "web", "web")];
  // By itself the database would fill the smaller node, where its follower does not fit.
  const nodes = [small("a", 1, 400), small("b", 2, 800)];
  const made = plan(buildSnapshot(buildState({ nodes, workloads: [db, web] }), { specs }));
  expect(placesOf(made)).toEqual(["db.1 b", "web.0 b"]);
});

test("a leader that starts again comes back to where its followers are", () => {
  const specs = { db: buildSpec({ origin: "entry" }), web: buildSpec({ place: { together_with: ["db"] } }) };
  const [db, web] = [buildWorkload("shop", "db", "db"), buildWorkload("shop", "web", "web")];
  const follower = buildTask(web, "b", { observed: { state: "running", pid: 1, started_ms: NOW_MS - 3_600_000 } });
  const nodes = [small("a", 1, 2_000), small("b", 2, 64_000)];
  const made = plan(buildSnapshot(buildState({ nodes, workloads: [db, web], tasks: [follower] }), { specs }));
  expect(placesOf(made)).toEqual(["db.0 b"]);
});

describe("a follower of what has to end first does not go ahead to where the next attempt may go", () => {
  const specs = {
    db: buildSpec({ origin: "entry", exclusive: true, request: buildRequest({ cpu_milli: 500 }) }),
    web: buildSpec({ request: buildRequest({ cpu_milli: 500 }), place: { together_with: ["db"] } }),
  };

  function rolledOut(replicas: number, cpu_milli: number): Plan {
    const db = buildWorkload("shop", "db", "db", { version: 2, settings: { replicas } });
    const tasks = Array.from({ length: replicas }, (_, slot) =>
      buildTask(db, "a", {
        slot,
        version: 1,
        promised: { cpu_milli: 500 },
        observed: { state: "running", pid: 1, started_ms: NOW_MS - 3_600_000 },
      }),
    );
    const nodes = [small("a", 1, cpu_milli), small("b", 2)];
    const workloads = [db, buildWorkload("shop", "web", "web")];
    return plan(buildSnapshot(buildState({ nodes, workloads, tasks }), { specs }));
  }

  test("it waits for room where another one is", () => {
    const made = rolledOut(2, 1_000);
    expect(made.ops.map(({ op }) => op)).toContain("stop");
    expect(placesOf(made)).toEqual([]);
    expect(why(made)).toContainEqual(expect.stringContaining("shop.web.0: waits"));
  });

  test("it waits for the only one, also where the old one still is", () => {
    const made = rolledOut(1, 2_000);
    expect(made.ops.map(({ op }) => op)).toContain("stop");
    expect(placesOf(made)).toEqual([]);
    expect(why(made)).toContainEqual(expect.stringContaining("wait for the first task of db"));
  });
});

describe("a roll-out without room", () => {
  test("says that its own old task holds the room, and what helps", () => {
    const spec = buildSpec({ ports: [{ name: "http", target: null, published: 8080, bind: "cluster" }] });
    const restart = { ...buildWorkload("shop", "web", "new").settings.restart, offline: true };
    const web = buildWorkload("shop", "web", "new", { version: 2, settings: { restart } });
    const nodes = [small("a", 1, 8_000)];
    const old = buildTask(web, "a", {
      version: 1,
      promised: { ports: [{ name: "http", target: 8080, published: 8080, bind: "cluster" }] },
      observed: { state: "running", pid: 1, started_ms: NOW_MS - 3_600_000 },
    });
    const state = buildState({ nodes, workloads: [web], tasks: [old] });
    const made = plan(buildSnapshot(state, { specs: { new: spec } }));
    expect(why(made)).toEqual([
      "queued shop.web.0: waits: 0 of 1 node fits: 1 has port 8080 in use; its own task of version 1 holds the room",
    ]);
    expect(made.blocked[0]?.smallest_change).toBe(
      "`exclusive: true`, with which the old task stops first (runs now), or publish port 8080 as auto (runs now)",
    );
    expect(made.blocked[0]?.stuck).toBe(true);
    const [change] = made.blocked[0]?.changes ?? [];
    const changed = plan(buildSnapshot(state, { specs: { new: change?.spec ?? spec } }));
    expect(changed.ops.map(({ op }) => op)).toContain("stop");
  });

  test("is not stuck where others may leave room for both", () => {
    const spec = buildSpec({ request: { cpu_milli: 1_000 } });
    const [web, other] = [buildWorkload("shop", "web", "new", { version: 2 }), buildWorkload("lab", "db", "db")];
    const tasks = [web, other].map((row) =>
      buildTask(row, "a", {
        version: 1,
        promised: { cpu_milli: 1_000 },
        observed: { state: "running", pid: 1, started_ms: NOW_MS - 3_600_000 },
      }),
    );
    const state = buildState({ nodes: [small("a", 1, 2_000)], workloads: [web, other], tasks });
    const made = plan(buildSnapshot(state, { specs: { new: spec, db: spec } }));
    expect(why(made)).toEqual([expect.stringContaining("its own task of version 1 holds the room")]);
    expect(made.blocked[0]?.stuck).toBe(false);
  });
});

describe("what can never be", () => {
  test("more replicas that keep apart than nodes", () => {
    const plan = planned([small("a", 1), small("b", 2)], { web: { replicas: 3, place: { apart_from: ["web"] } } });
    expect(placesOf(plan)).toHaveLength(2);
    expect(why(plan)).toEqual([
      "unsatisfiable app0.web.2: can never run: the 3 replicas of app0.web keep apart from each other, " +
        "and only 2 nodes could hold one: orch scale app0.web=2",
    ]);
  });
  test("more replicas that publish one port than machines", () => {
    const plan = planned([small("a", 1)], { web: { replicas: 2, port: 8080 } });
    expect(why(plan)).toEqual([
      "unsatisfiable app0.web.1: can never run: the 2 replicas of app0.web publish port 8080 of their machine, " +
        "and only a could hold one: orch scale app0.web=1",
    ]);
    expect(plan.blocked[0]?.smallest_change).toBe("publish port 8080 as auto (runs now)");
  });
  test("two that keep apart and have the same one node", () => {
    const plan = planned([small("a", 1)], { one: {}, two: { place: { apart_from: ["one"] } } });
    expect(why(plan)).toEqual([
      "unsatisfiable app0.two.0: can never run: app0.two and app0.one keep apart, and both can be on a only",
    ]);
  });
});

describe("a run keeps to what it was submitted with", () => {
  const apart = buildSpec({ place: { apart_from: ["db"] } });
  const specs = { apart, plain: buildSpec() };
  const inShop = { app_uid: uidOf("shop"), app: "shop" };
  const workload = buildWorkload("shop", "job", "plain", { kind: "job", version: 2 });
  const run = buildRun(1, "apart", { ...inShop, name: "shop.job", workload_uid: workload.uid });
  const db = buildWorkload("shop", "db", "plain", { kind: "service" });
  const nodes = [small("a", 1), small("b", 2)];
  test("it keeps apart, though its workload does so no more, or is gone", () => {
    for (const workloads of [[db, workload], [db]]) {
      const state = buildState({ nodes, workloads, runs: [run], tasks: [buildTask(db, "a")] });
      expect(placesOf(plan(buildSnapshot(state, { specs })))).toEqual(["job.0 b"]);
    }
  });
  test("others keep apart from it until it is over", () => {
    const tasks = [
      buildTask({ ...run, state: "running" }, "a", { observed: { state: "running", pid: 1, started_ms: NOW_MS } }),
    ];
    for (const [state, place] of [
      ["running", "db.0 b"],
      ["cancelled", "db.0 a"],
    ] as const) {
      const runs = [{ ...run, state }];
      const made = plan(buildSnapshot(buildState({ nodes, workloads: [db, workload], runs, tasks }), { specs }));
      expect(placesOf(made)).toEqual([place]);
    }
  });
});

test("in a circle that no node can hold, a follower does not go without the one that it follows", () => {
  const behind = (name: string) => ({ together_with: [name] });
  const specs = {
    db: buildSpec({ request: buildRequest({ cpu_milli: 900 }), place: behind("aa") }),
    aa: buildSpec({ request: buildRequest({ cpu_milli: 100 }), place: { ...behind("db"), apart_from: ["db"] } }),
  };
  const db = buildWorkload("shop", "db", "db", { settings: { replicas: 2 } });
  const aa = buildWorkload("shop", "aa", "aa", { settings: { replicas: 4 } });
  const task = buildTask(db, "a", { observed: { state: "running", pid: 1, started_ms: NOW_MS - 3_600_000 } });
  const nodes = [small("a", 1, 1_000), small("b", 2, 1_000)];
  const made = plan(buildSnapshot(buildState({ nodes, workloads: [db, aa], tasks: [task] }), { specs }));
  expect(placesOf(made).filter((place) => place.startsWith("aa"))).toEqual([]);
});
