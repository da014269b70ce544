// A node that lists tasks without end, under long names, that hold more than there is: its row stays small, its room is
// at most what it has, and neither the server nor anybody's view of the cluster stops because of it.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import { NO_PROMISE, type Promised } from "../../../src/core/model/promised";
import type { NodeRow, Orphan } from "../../../src/core/model/rows-node";
import { list } from "../../../src/wire/api/answers";
import { nodeView } from "../../../src/wire/api/nodes";
import { waitUntil } from "../../support/wait";
import { joinWithKey, Recorder, type Known } from "../recorder";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let known: Known;
beforeEach(async () => {
  stage = await makeStage({ limits: { unreachable_after_ms: 500 } });
  known = await joinWithKey(stage, "box1");
});
afterEach(async () => stage.close());

const node = (): NodeRow => stage.api.store.state.nodes.get(known.credential.node_id) as NodeRow;

/** Lets time pass in which no node says anything. */
async function silence(): Promise<void> {
  const before_ms = stage.api.loop.listening_ms();
  stage.clock += 900;
  await waitUntil("the silence to be noticed", () => stage.api.loop.listening_ms() > before_ms);
  await stage.planned();
}

const held = (part: Partial<Promised>): Promised => ({ ...NO_PROMISE, ...part });

const orphan = (n: number, part: Partial<Orphan> = {}): Orphan => ({
  uid: `ab${n.toString(16).padStart(30, "0")}`,
  name: "x",
  pid: null,
  held: null,
  ...part,
});

async function connectedWith(orphans: readonly Orphan[]): Promise<Recorder> {
  const agent = Recorder.dial(stage, known);
  await agent.hello("1");
  for (let at = 0; at === 0 || at < orphans.length; at += 900) {
    const unreadable = orphans.slice(at, at + 900);
    agent.say({ type: "inventory", entries: [], unreadable, last: at + 900 >= orphans.length });
  }
  await agent.expect("welcome");
  return agent;
}

test("4,100 names of 4,000 characters make no row that the database refuses, and the server goes on", async () => {
  await connectedWith(Array.from({ length: 4_100 }, (_, n) => orphan(n, { name: "y".repeat(4_000) })));
  expect(JSON.stringify(node()).length).toBeLessThan(2 * HOUSE_LIMITS.orphans_chars);
  expect(node().orphans).toHaveLength(HOUSE_LIMITS.orphans + 1);
  await stage.planned();
  await silence();
  expect(node().contact).toBe("unreachable");
  const doubts = stage.api.store.history.events({ limit: 50 }).filter(({ verb }) => verb === "doubted");
  expect(doubts).toMatchObject([{ detail: expect.stringContaining("of 3100 only the room is kept") }]);
});

test("what further ones hold is kept as one sum, also when the node lists them again", async () => {
  const listed = Array.from({ length: HOUSE_LIMITS.orphans + 10 }, (_, n) =>
    orphan(n, { held: held({ cpu_milli: 1, memory_bytes: 2 }) }),
  );
  for (const _ of [1, 2]) {
    await connectedWith(listed);
    expect(node().orphans.at(-1)?.held).toMatchObject({ cpu_milli: 10, memory_bytes: 20 });
    expect(node().orphans).toHaveLength(HOUSE_LIMITS.orphans + 1);
  }
});

test("orphans hold at most what the node has, and everybody can read the list of nodes", async () => {
  await connectedWith(Array.from({ length: 10 }, (_, n) => orphan(n, { held: held({ cpu_milli: 2 ** 50 }) })));
  const { body } = await stage.call("GET", "/v1/nodes");
  const read = list("nodes", nodeView).safeParse(body);
  expect(read.error?.message).toBeUndefined();
  expect(read.data?.nodes[0]?.reserved.cpu_milli).toBe(node().capacity.cpu_milli);
});

test("many large rows whose contact changes at once are written in several passes", async () => {
  const names = Array.from({ length: 12 }, (_, n) => `big${n}`);
  const labels = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`k${n}`, "z".repeat(4_000)]));
  const foreign_tasks = Array.from({ length: 50 }, (_, n) => ({
    name: "f".repeat(4_000),
    pid: n,
    data: "d".repeat(4_000),
    since_ms: 0,
    memory_bytes: 0,
  }));
  for (const name of names) {
    const id = await stage.join(name);
    await stage.api.store.commit("test", (draft) => {
      const row = draft.state.nodes.get(id) as NodeRow;
      const facts = { ...row.facts, foreign_tasks: [...foreign_tasks, ...foreign_tasks, ...foreign_tasks] };
      const big = { ...row, labels, facts };
      draft.put([{ table: "nodes", key: id, row: big }]);
    });
    stage.api.loop.heard(id, stage.clock);
  }
  await stage.planned();
  await silence();
  const contacts = [...stage.api.store.state.nodes.values()].filter(({ name }) => names.includes(name));
  expect(contacts.map(({ contact }) => contact)).toEqual(names.map(() => "unreachable"));
});
