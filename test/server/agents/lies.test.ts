// What a node says that is not true: it changes nothing for anybody else, and the server says which node said it.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { signPassed } from "../../../src/server/access/identity";
import { PLAIN_DEVICE } from "../../../src/core/model/device";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import { NO_PROMISE } from "../../../src/core/model/promised";
import type { NodeRow } from "../../../src/core/model/rows-node";
import type { Credential } from "../../../src/wire/agent";
import { joinBody, keyOf } from "../../support/keys";
import { failedReport } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { handAgent, reconnected } from "../hand-agent";
import { joinWithKey, Recorder } from "../recorder";
import { machineOf, makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const doubts = () => stage.api.store.history.events({ limit: 50 }).filter(({ verb }) => verb === "doubted");

describe("an epoch that this server never reached", () => {
  const EPOCH = 1_000_000;
  const passed = (signature: string) => {
    const { timeline, revision } = stage.api.store.state.cluster;
    return { timeline, revision, epoch: EPOCH, signature };
  };

  test.each(["", "AAAA", "not base64 ☃"])(
    "is not believed with the signature %p, and the node is named",
    async (signature) => {
      const rogue = Recorder.dial(stage, await joinWithKey(stage, "rogue"));
      await rogue.hello("1", { highest: passed(signature) });
      rogue.say({ type: "inventory", entries: [], unreadable: [], last: true });
      await rogue.expect("welcome");
      expect(stage.api.loop.fenced()).toBeNull();
      await stage.planned();
      expect(doubts()).toMatchObject([{ object: "rogue", detail: expect.stringContaining(`epoch ${EPOCH}`) }]);
    },
  );
  test("is not believed with the signature of another stamp", async () => {
    const { cluster } = stage.api.store.state;
    const rogue = Recorder.dial(stage, await joinWithKey(stage, "rogue"));
    await rogue.hello("1", { highest: passed(signPassed(stage.api.identity, cluster)) });
    rogue.say({ type: "inventory", entries: [], unreadable: [], last: true });
    await rogue.expect("welcome");
    expect(stage.api.loop.fenced()).toBeNull();
  });
  test("stops the planner when this server's own key has signed it: the database is an old copy", async () => {
    const node = Recorder.dial(stage, await joinWithKey(stage, "box1"));
    const { cluster } = stage.api.store.state;
    const signature = signPassed(stage.api.identity, { ...cluster, epoch: EPOCH });
    await node.hello("1", { highest: passed(signature) });
    expect(await node.expect("refused")).toMatchObject({ code: "older_server" });
    expect(stage.api.loop.fenced()).toContain(`box1 has seen epoch ${EPOCH}`);
  });
});

test("a revision beyond the database's stops the planner only when it is signed", async () => {
  const { cluster } = stage.api.store.state;
  const { timeline, epoch } = cluster;
  const revision = cluster.revision + 1_000;
  const rogue = Recorder.dial(stage, await joinWithKey(stage, "rogue"));
  await rogue.hello("1", {
    highest: { timeline, epoch, revision, signature: "AAAA" },
    applied: { timeline, revision, since: 0 },
  });
  rogue.say({ type: "inventory", entries: [], unreadable: [], last: true });
  await rogue.expect("welcome");
  expect(stage.api.loop.fenced()).toBeNull();
  const node = Recorder.dial(stage, await joinWithKey(stage, "box1"));
  const signature = signPassed(stage.api.identity, { ...cluster, revision });
  await node.hello("1", { highest: { timeline, epoch, revision, signature } });
  await node.expect("refused");
  expect(stage.api.loop.fenced()).toContain(`box1 has seen revision ${revision}`);
});

test("every stamp that an agent gets is signed, and the signature is the server's", async () => {
  const node = Recorder.dial(stage, await joinWithKey(stage, "box1"));
  const { stamp } = await node.expect("challenge");
  expect(stage.api.identity.verify("anything", stamp.signature)).toBe(false);
  expect(stamp.signature.length).toBeGreaterThan(60);
});

describe("a card of another machine", () => {
  const card = { ...PLAIN_DEVICE, id: "GPU-1", vendor: "nvidia" as const, model: "A100", memory_bytes: 1 };
  const cardsOf = (name: string): string[] =>
    [...stage.api.store.state.nodes.values()].find((node) => node.name === name)?.devices.map(({ id }) => id) ?? [];

  test("that is listed twice counts once, as it was listed first, and the node is named", async () => {
    await handAgent(stage, "rogue", { devices: [{ ...card, state: "missing" as const }, card, card] });
    const listed = [...stage.api.store.state.nodes.values()].flatMap(({ devices }) => devices);
    expect(listed.map(({ id, state }) => [id, state])).toEqual([["GPU-1", "missing"]]);
    await stage.planned();
    expect(doubts()[0]?.detail).toContain("claims the card GPU-1, which is in its own list already");
  });

  test("stays that machine's, whether it is claimed at the hello or later", async () => {
    await handAgent(stage, "box1", { devices: [card] });
    const rogue = await handAgent(stage, "rogue", { devices: [] });
    rogue.say({ type: "facts", machine: machineOf("rogue", { devices: [card, { ...card, id: "GPU-2" }] }) });
    await waitUntil("the facts", () => cardsOf("rogue").length === 1);
    expect([cardsOf("box1"), cardsOf("rogue")]).toEqual([["GPU-1"], ["GPU-2"]]);
    rogue.hangUp();
    const again = await reconnected(stage, rogue, { devices: [card] });
    expect([cardsOf("box1"), cardsOf("rogue")]).toEqual([["GPU-1"], []]);
    await stage.planned();
    expect(doubts()).toMatchObject([{ object: "rogue", detail: "claims the card GPU-1, which is in box1" }]);
    again.hangUp();
  });
});

test("a task of another node is not changed by a report of it, and the node is named", async () => {
  await handAgent(stage, "box1");
  await stage.call("POST", "/v1/runs", {
    as: "alice",
    body: { name: "long", project: null, job: { run: "sleep 100" }, wait_for_nodes: true },
  });
  const task = await waitUntil("the task", () => [...stage.api.store.state.tasks.values()][0]);
  const rogue = await handAgent(stage, "rogue");
  rogue.report([failedReport(task)]);
  await rogue.told("ack");
  expect(stage.api.store.state.tasks.get(task.uid)?.observed.state).toBe("assigned");
  await stage.planned();
  expect(doubts()).toMatchObject([{ object: "rogue", detail: expect.stringContaining("a task of another node") }]);
});

describe("a key that an operator has replaced", () => {
  const node = () => [...stage.api.store.state.nodes.values()][0];

  /** Both identities of one node: the key that it had, and the one that an operator has approved. */
  async function replaced() {
    const old = await joinWithKey(stage, "box1");
    const before = node();
    stage.clock += 61_000;
    const newer = keyOf("newer");
    const body = joinBody(newer, stage.tokens["agent"] ?? "", "box1", machineOf("box1"));
    const join = () => stage.call("POST", "/v1/join", { as: "agent", body });
    await join();
    await stage.call("POST", "/v1/nodes/box1/approve", { as: "olga", body: { key: null } });
    const credential = (await join()).body["credential"] as Credential;
    return { old, now: { name: "box1", key: newer.key, credential }, before };
  }
  /** What the restore of a copy leaves: this row, or none, and the wait for all nodes that are known. */
  const restore = async (row: NodeRow | null | undefined, id: string): Promise<unknown> =>
    stage.api.store.commit("test", (draft) => {
      if (row !== undefined) draft.put([{ table: "nodes", key: id, row }]);
      const recovering = row === null ? null : [id];
      draft.put([{ table: "cluster", key: "cluster", row: { ...draft.state.cluster, recovering } }]);
    });

  test("does not speak for the node after a restore of a copy that names the newer one", async () => {
    const { old, now } = await replaced();
    await restore(undefined, now.credential.node_id);
    const thief = Recorder.dial(stage, old);
    await thief.hello("1");
    expect(await thief.expect("refused")).toMatchObject({ code: "identity_replaced" });
    expect((await Recorder.dial(stage, now).live("2")).name).toBe("box1");
  });
  test.each(["names the key", "lacks the node"])(
    "gives way to the newer one after a restore of a copy that %s, also while it is connected",
    async (what) => {
      const { old, now, before } = await replaced();
      await restore(what === "names the key" ? before : null, now.credential.node_id);
      const thief = Recorder.dial(stage, old);
      await thief.live("1");
      expect((await Recorder.dial(stage, now).live("2")).name).toBe("box1");
      expect(thief.closed?.code).toBe(4_001);
      expect(node()?.public_key).toBe(now.credential.public_key);
      const again = Recorder.dial(stage, old);
      await again.hello("3");
      await again.expect("refused");
      expect(node()?.public_key).toBe(now.credential.public_key);
    },
  );
});

test("the pool of a join token binds a node that a restored server does not know", async () => {
  const body = { role: "agent", user: null, expires_ms: null, pool: "jail" };
  const { token } = (await stage.call("POST", "/v1/tokens", { as: "olga", body })).body as unknown as { token: string };
  const { key, public_key } = keyOf("box1");
  const asked = joinBody({ key, public_key }, token, "box1", machineOf("box1"));
  const credential = (await stage.call("POST", "/v1/join", { as: token, body: asked })).body[
    "credential"
  ] as Credential;
  const known = { name: "box1", key, credential };
  await stage.api.store.commit("test", (draft) => {
    draft.put([{ table: "nodes", key: credential.node_id, row: null }]);
  });
  const forged = Recorder.dial(stage, { ...known, credential: { ...credential, pool: "secure" } });
  await forged.hello("0", { machine: { pool: "secure" } });
  expect(await forged.expect("refused")).toMatchObject({ code: "credential" });
  const agent = Recorder.dial(stage, known);
  await agent.live("1", [], { pool: "secure" });
  expect(stage.api.store.state.nodes.get(credential.node_id)?.pool).toBe("jail");
});

describe("a node that a restored server does not know", () => {
  /** A node whose row is gone, as after a restore of a copy from before it joined. */
  async function forgottenByRestore(): Promise<Awaited<ReturnType<typeof joinWithKey>>> {
    const known = await joinWithKey(stage, "box1");
    const { node_id } = known.credential;
    await stage.api.store.commit("test", (draft) => draft.put([{ table: "nodes", key: node_id, row: null }]));
    return known;
  }

  test("is let in again by its credential on the machine that this was signed for", async () => {
    const agent = Recorder.dial(stage, await forgottenByRestore());
    expect((await agent.live("1")).name).toBe("box1");
  });
  test("is refused on another machine", async () => {
    const agent = Recorder.dial(stage, await forgottenByRestore());
    await agent.hello("1", { machine: { fingerprint: "another machine" } });
    expect(await agent.expect("refused")).toMatchObject({ code: "identity_copied" });
    expect(stage.api.store.state.nodes.size).toBe(0);
  });
});

test("numbers beyond what anybody has are brought into their bounds, and the server goes on placing", async () => {
  const rogue = Recorder.dial(stage, await joinWithKey(stage, "rogue"));
  const [more, less] = [21, 3];
  const countables = { license: 2 ** 53 + 2 * more + less, half: 0.4, below: -1 };
  await rogue.hello("1", { machine: { capacity: { ...machineOf("rogue").capacity, countables } } });
  const orphan = (n: number) => ({
    uid: n.toString(16).padStart(32, "a"),
    name: "x",
    pid: null,
    held: { ...NO_PROMISE, countables: { license: n === 0 ? 2 ** 53 + 2 : 3 } },
  });
  rogue.say({
    type: "inventory",
    entries: [],
    unreadable: Array.from({ length: more }, (_, n) => orphan(n)),
    last: true,
  });
  await rogue.expect("welcome");
  await rogue.pass();
  rogue.beat(1);
  await stage.planned();
  const [node] = stage.api.store.state.nodes.values().toArray();
  expect(node?.capacity.countables).toEqual({ license: HOUSE_LIMITS.countable, half: 0, below: 0 });
  const job = { run: "true", user: "bob", resources: { license: 1 } };
  const asked = await stage.call("POST", "/v1/runs", {
    as: "bob",
    body: { job, name: null, project: null, wait_for_nodes: true },
  });
  expect(asked.status).toBe(200);
  await stage.planned();
  expect(stage.api.loop.blocked().map(({ summary }) => summary)).toEqual([
    expect.stringContaining("too few free license"),
  ]);
});

test("a countable with a fraction, which older agents say, counts as the whole number below it", async () => {
  const known = await joinWithKey(stage, "box1");
  const { capacity } = machineOf("box1");
  await Recorder.dial(stage, known).live("1", [], { capacity: { ...capacity, countables: { seats: 1.5, none: 0.5 } } });
  const node = stage.api.store.state.nodes.get(known.credential.node_id);
  expect(node?.capacity.countables).toEqual({ seats: 1, none: 0 });
});
