// Machines that come in: new, again, with a name that is taken, and what is done with nodes and with tasks that
// nobody knows.

import { sign } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { PLAIN_DEVICE } from "../../../src/core/model/device";
import { verifyCredential } from "../../../src/server/access/identity";
import type { NodeRow, Orphan } from "../../../src/core/model/rows-node";
import type { Credential, Machine } from "../../../src/wire/agent";
import { joinText } from "../../../src/wire/join";
import { parseToken } from "../../../src/wire/token";
import { handAgent, heardNode } from "../hand-agent";
import { machineOf, makeStage, type Stage } from "../stage";
import { joinBody, keyOf } from "../../support/keys";
import { waitUntil } from "../../support/wait";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const nodes = (): NodeRow[] => stage.api.store.state.nodes.values().toArray();
const node = (name: string): NodeRow => nodes().find((one) => one.name === name)!;
const join = (name: string | null, machine: Machine, key = "key", token = stage.tokens["agent"] ?? "") =>
  stage.call("POST", "/v1/join", { as: token, body: joinBody(keyOf(key), token, name, machine) });

test("a machine that is refused while a restored server recovers is awaited no more", async () => {
  const { body } = await stage.call("POST", "/v1/tokens", {
    as: "admin",
    body: { role: "agent", user: null, expires_ms: null, approve: true },
  });
  await join("box9", machineOf("box9"), "key9", String(body["token"]));
  const { id } = node("box9");
  await stage.api.store.commit("server", (draft) => {
    draft.put([{ table: "cluster", key: "cluster", row: { ...draft.state.cluster, recovering: [id] } }]);
  });
  expect((await stage.call("POST", `/v1/nodes/${id}/refuse`, { as: "olga" })).status).toBe(200);
  expect(stage.api.store.state.cluster.recovering).toBeNull();
});

describe("a machine that joins", () => {
  test("becomes a node with a credential that only this server can have signed", async () => {
    const { status, body } = await join(null, machineOf("Box_1.lab.example"));
    expect([status, body["name"]]).toEqual([200, "box-1"]);
    const credential = body["credential"] as Credential;
    expect(credential).toMatchObject({
      cluster_id: stage.api.identity.cluster_id,
      node_id: node("box-1").id,
      public_key: keyOf("key").public_key,
    });
    expect(verifyCredential(stage.api.identity, credential)).toBe(true);
    for (const changed of [
      { node_id: "x" },
      { name: "y" },
      { public_key: "z" },
      { fingerprint: "" },
      { signature: "AAAA" },
    ]) {
      expect(verifyCredential(stage.api.identity, { ...credential, ...changed })).toBe(false);
    }
    expect(node("box-1")).toMatchObject({
      admission: "testing",
      testing: { why: "it joined" },
      ordinal: 1,
      contact: "lost",
    });
  });
  test("gets a free name when its own is taken by another machine", async () => {
    await join(null, machineOf("box"));
    expect((await join(null, machineOf("box", { fingerprint: "other" }), "2")).body["name"]).toBe("box-2");
    expect((await join("box", machineOf("box", { fingerprint: "third" }), "3")).body.error).toMatchObject({
      code: "conflict",
      message: "box is another machine (box)",
    });
    expect(nodes().map(({ ordinal }) => ordinal)).toEqual([1, 2]);
  });
  test("that is known never becomes a second node without saying that it is another part of the machine", async () => {
    const agent = await handAgent(stage, "box1");
    const key = node("box1").public_key;
    for (const name of ["box1", null]) {
      const { error } = (await join(name, machineOf("box1"), "thief")).body;
      expect(error?.message).toBe("an agent is connected as box1 from this machine");
    }
    expect((await join("box1-b", machineOf("box1"), "b")).body.error?.message).toBe("this machine is box1 already");
    const part = machineOf("box1", { fingerprint: "a part of it" });
    expect((await join("box1-b", part, "b")).body["name"]).toBe("box1-b");
    agent.hangUp();
    // At once, while it still counts as connected.
    expect(node("box1").contact).toBe("connected");
    expect((await join(null, machineOf("box1"), "c")).body).toMatchObject({ is: "waiting", name: "box1" });
    expect((await join(null, machineOf("box1"), "d")).body.error?.message).toContain("another key waits");
    expect(node("box1").public_key).toBe(key);
    expect(nodes().map(({ name }) => name)).toEqual(["box1", "box1-b"]);
  });
  test("is recognised by the fingerprint of another part of it that it joined with", async () => {
    await stage.join("box1");
    const token = stage.tokens["agent"] ?? "";
    const part = machineOf("box1", { fingerprint: "a part of it" });
    const body = { ...joinBody(keyOf("new"), token, "box1", part), also: ["fingerprint-box1"] };
    expect((await join("box1", part, "other")).body.error).toMatchObject({
      message: "box1 is another machine (box1)",
      hint: expect.stringContaining("orch node forget box1 --fenced"),
    });
    for (const name of ["box1", null]) {
      const asked = await stage.call("POST", "/v1/join", { as: token, body: { ...body, name } });
      expect(asked.body).toMatchObject({ is: "waiting", name: "box1" });
    }
    await stage.call("POST", "/v1/nodes/box1/approve", { as: "olga", body: { key: null } });
    const joined = await stage.call("POST", "/v1/join", { as: token, body });
    expect(joined.body["credential"]).toMatchObject({ fingerprint: "a part of it" });
  });
  const card = (memory_bytes: number) => ({
    ...PLAIN_DEVICE,
    id: "GPU-1",
    vendor: "nvidia" as const,
    model: "A100",
    memory_bytes,
  });
  test("has each of its cards once, as it was listed first, also when it comes with another key", async () => {
    await stage.join("box1", { devices: [card(1), card(2)] });
    expect(node("box1").devices.map(({ memory_bytes }) => memory_bytes)).toEqual([1]);
    const token = stage.tokens["agent"] ?? "";
    const { pin, id } = parseToken(token) ?? { pin: "", id: "" };
    const body = joinBody(keyOf("new"), token, "box1", machineOf("box1", { devices: [card(3), card(4)] }));
    const { key, public_key } = keyOf("box1");
    const text = Buffer.from(joinText(pin, id, body.public_key, "fingerprint-box1"));
    const vouched = { public_key, signature: sign(null, text, key).toString("base64") };
    expect((await stage.call("POST", "/v1/join", { as: token, body: { ...body, vouched } })).body["is"]).toBe("joined");
    expect(node("box1").devices.map(({ memory_bytes }) => memory_bytes)).toEqual([3]);
  });
  test("keeps its cards when it asks as another part of itself", async () => {
    await stage.join("box1", { devices: [card(1)] });
    const token = stage.tokens["agent"] ?? "";
    const part = machineOf("box1", { fingerprint: "a part of it", devices: [card(1)] });
    const body = { ...joinBody(keyOf("new"), token, "box1", part), also: ["fingerprint-box1"] };
    expect((await stage.call("POST", "/v1/join", { as: token, body })).body["is"]).toBe("waiting");
  });
  test("does not bring a card that is in another one", async () => {
    const devices = [card(1)];
    await stage.join("box1", { devices });
    expect((await join("box2", machineOf("box2", { devices }))).body.error?.message).toBe(
      "the device GPU-1 is already in box1",
    );
  });
  test.each(["Box", "a_b", "-", "a".repeat(41), "1box"])("is not called %p", async (name) => {
    expect((await join(name, machineOf("box"))).body.error?.code).toBe("bad_request");
  });
});

describe("a node", () => {
  test("is drained and resumed, labelled and tainted", async () => {
    await heardNode(stage, "box1");
    const post = (verb: string, body?: object) =>
      stage.call("POST", `/v1/nodes/box1/${verb}`, { as: "olga", ...(body === undefined ? {} : { body }) });
    expect((await post("drain", { deadline_ms: null, reason: "fan" })).body).toMatchObject({
      state: "drained",
      reason: "fan",
    });
    expect((await post("resume")).body).toMatchObject({ state: "ready", reason: null });
    expect((await post("label", { set: { zone: "a", b: "1" }, remove: [] })).body["labels"]).toEqual({
      zone: "a",
      b: "1",
    });
    expect((await post("label", { set: { zone: "c" }, remove: ["b"] })).body["labels"]).toEqual({ zone: "c" });
    expect((await post("label", { set: { hostname: "x" }, remove: [] })).body.error?.code).toBe("bad_request");
    const taint = { key: "team", value: "vision", effect: "no_schedule" };
    await post("taint", { set: [{ ...taint, value: "old" }], remove: [] });
    expect((await post("taint", { set: [taint], remove: [] })).body["taints"]).toEqual([taint]);
    expect((await post("taint", { set: [], remove: ["team"] })).body["taints"]).toEqual([]);
  });
  test("with tasks is forgotten only on the word that it is off; then its tasks are lost on proof", async () => {
    const id = await heardNode(stage, "box1");
    await stage.call("POST", "/v1/runs", {
      as: "alice",
      body: { name: "long", project: null, job: { run: "sleep 100" }, wait_for_nodes: true },
    });
    await waitUntil("the task", () => stage.api.store.state.tasks.size === 1);
    const task = stage.api.store.state.tasks.values().next().value!;
    const refused = await stage.call("POST", "/v1/nodes/box1/forget", { as: "olga", body: { fenced: false } });
    expect(refused.body.error).toMatchObject({
      code: "conflict",
      message: "box1 still has a task",
      hint: expect.stringContaining("--fenced"),
    });
    expect((await stage.call("POST", "/v1/nodes/box1/forget", { as: "olga", body: { fenced: true } })).status).toBe(
      200,
    );
    expect(stage.api.store.history.task(task.uid)?.observed).toMatchObject({
      state: "lost",
      cause: "node_forgotten",
      reason: "its node was forgotten, said to be off",
    });
    const told = stage.api.store.history.events({ object: "box1", node_id: id, limit: 50 });
    expect(told.find(({ verb }) => verb === "lost")).toMatchObject({
      detail: "its node was forgotten, said to be off",
      node_id: id,
    });
    expect(nodes()).toEqual([]);
    expect(stage.api.store.history.hasGrave(id)).toBe(true);
    expect(stage.api.store.state.runs.size).toBe(1);
  });
});

describe("a task that no server knows", () => {
  const orphan = (name: string, part: Partial<Orphan> = {}): Orphan => ({
    uid: "ab".repeat(16),
    name,
    pid: 77,
    held: {
      cpu_milli: 1_000,
      memory_bytes: 2 ** 30,
      disk_bytes: 0,
      countables: {},
      memory_limited: true,
      devices: [],
      ports: [],
    },
    ...part,
  });
  async function withOrphan(one: Orphan): Promise<string> {
    const id = await heardNode(stage, "box1");
    await stage.api.store.commit("test", (draft) =>
      draft.put([{ table: "nodes", key: id, row: { ...draft.state.nodes.get(id)!, orphans: [one] } }]),
    );
    return id;
  }
  const post = (verb: string) => stage.call("POST", `/v1/nodes/box1/orphans/abababab/${verb}`, { as: "olga" });

  test("counts as used room and is shown", async () => {
    await withOrphan(orphan("web.api.0"));
    expect((await stage.call("GET", "/v1/nodes/box1")).body).toMatchObject({
      reserved: { cpu_milli: 1_000 },
      orphans: [{ id: "ababababab", name: "web.api.0", pid: 77 }],
    });
  });
  test("is stopped by an order that is repeated until its end is known", async () => {
    const id = await withOrphan(orphan("web.api.0#3"));
    expect((await post("stop")).status).toBe(200);
    expect(node("box1").orphans).toEqual([]);
    expect(stage.api.store.state.tasks.get("ab".repeat(16))).toMatchObject({
      node_id: id,
      desired: "stop",
      attempt: 3,
      stop: { why: "an orphan, stopped by olga" },
      promised: { cpu_milli: 1_000 },
    });
    await stage.planned();
    expect(stage.api.store.state.tasks.get("ab".repeat(16))?.desired).toBe("stop");
    expect((await post("stop")).status).toBe(404);
  });
  test("is adopted as the replica that its name says", async () => {
    await withOrphan(orphan("web.api.0#3"));
    await stage.call("POST", "/v1/nodes/box1/drain", { body: { deadline_ms: null, reason: null } });
    await stage.call("PUT", "/v1/apps/lab/web", {
      as: "alice",
      body: { text: "app: web\nservices: { api: { run: sleep 9 } }\n", file: "f", revision: null },
    });
    expect((await post("adopt")).status).toBe(200);
    expect(stage.api.store.state.tasks.get("ab".repeat(16))).toMatchObject({
      app: "web",
      slot: 0,
      attempt: 3,
      desired: "run",
      observed: { state: "running", pid: 77 },
    });
    await stage.call("POST", "/v1/nodes/box1/resume");
    await stage.planned();
    expect([...stage.api.store.state.tasks.keys()]).toEqual(["ab".repeat(16)]);
  });
  test("is not adopted into a slot that has a task", async () => {
    await withOrphan(orphan("web.api.0#3"));
    await stage.call("PUT", "/v1/apps/lab/web", {
      as: "alice",
      body: { text: "app: web\nservices: { api: { run: sleep 9 } }\n", file: "f", revision: null },
    });
    await waitUntil("the task", () => stage.api.store.state.tasks.size === 1);
    expect((await post("adopt")).body.error?.message).toContain("the slot has another task");
  });
  test("is not adopted into a slot that its service does not have", async () => {
    await withOrphan(orphan("web.api.1#3"));
    const text = "app: web\nservices: { api: { run: sleep 9, replicas: 3 } }\n";
    await stage.call("POST", "/v1/nodes/box1/drain", { body: { deadline_ms: null, reason: null } });
    await stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body: { text, file: "f", revision: null } });
    const [row] = stage.api.store.state.workloads.values();
    if (row === undefined) throw new Error("there is no workload");
    const given_up = { ...row, settings: { ...row.settings, replicas: 2 }, without: [1] };
    await stage.api.store.commit("test", (draft) => draft.put([{ table: "workloads", key: row.uid, row: given_up }]));
    expect((await post("adopt")).body.error?.message).toContain("web.api keeps the replicas 0 and 2");
    const scaled = await stage.call("POST", "/v1/workloads/lab/web/api/scale", { body: { replicas: 3 } });
    expect(scaled.status).toBe(200);
    expect((await post("adopt")).status).toBe(200);
    expect(stage.api.store.state.tasks.get("ab".repeat(16))).toMatchObject({ slot: 1, desired: "run" });
  });
  test("is adopted by the project that is signed, and by none where several could be meant", async () => {
    await withOrphan(orphan("web.api.0#3"));
    await stage.call("POST", "/v1/nodes/box1/drain", { body: { deadline_ms: null, reason: null } });
    const body = { text: "app: web\nservices: { api: { run: sleep 9 } }\n", file: "f", revision: null };
    for (const [project, as] of [
      ["lab", "alice"],
      ["other", "bob"],
    ]) {
      expect((await stage.call("PUT", `/v1/apps/${project}/web`, { as: as!, body })).status).toBe(200);
    }
    expect((await post("adopt")).body.error).toMatchObject({
      code: "conflict",
      message:
        "web.api.0#3 cannot be adopted: projects lab, other have such an app, " +
        "and no server has signed of which of them it is",
    });
    const signed = async (project: string): Promise<void> => {
      const row = { ...node("box1"), orphans: [orphan("web.api.0#3", { project })] };
      await stage.api.store.commit("test", (draft) => draft.put([{ table: "nodes", key: row.id, row }]));
    };
    await signed("third");
    expect((await post("adopt")).body.error?.message).toContain("no app of project third declares it");
    await signed("other");
    expect((await post("adopt")).status).toBe(200);
    expect(stage.api.store.state.tasks.get("ab".repeat(16))).toMatchObject({ project: "other", user: "bob" });
  });
  test.each([
    ["other.api.0", "no app declares it"],
    ["123", "no app declares it"],
  ])("called %s is not", async (name, why) => {
    await withOrphan(orphan(name));
    const { body } = await post("adopt");
    expect(body.error?.message).toContain(why);
  });
});
