// Who may speak for a node: the key that joined, another key that it vouches for, or one that an operator approves. And
// how many machines a join token lets in.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sign } from "node:crypto";
import { PLAIN_DEVICE } from "../../../src/core/model/device";
import type { NodeRow } from "../../../src/core/model/rows-node";
import type { Machine } from "../../../src/wire/agent";
import { joinText, keyId } from "../../../src/wire/join";
import { parseToken } from "../../../src/wire/token";
import { joinBody, keyOf } from "../../support/keys";
import { waitUntil } from "../../support/wait";
import { handAgent, heardNode } from "../hand-agent";
import { machineOf, makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const node = (name: string): NodeRow | undefined =>
  stage.api.store.state.nodes.values().find((one) => one.name === name);
const join = (name: string | null, machine: Machine, key: string, token = stage.tokens["agent"] ?? "") =>
  stage.call("POST", "/v1/join", { as: token, body: joinBody(keyOf(key), token, name, machine) });
const post = (verb: string, body?: object, as = "olga") =>
  stage.call("POST", `/v1/nodes/box1/${verb}`, { as, ...(body === undefined ? {} : { body }) });
const publicKey = (name: string): string => keyOf(name).public_key;

async function newToken(part: object = {}): Promise<{ readonly token: string; readonly id: string }> {
  const body = { role: "agent", user: null, expires_ms: null, ...part };
  const made = await stage.call("POST", "/v1/tokens", { as: "olga", body });
  expect(made.status).toBe(200);
  return made.body as unknown as { readonly token: string; readonly id: string };
}

const LATER_MS = 61_000;

describe("another key for a node that is away", () => {
  test("waits for an operator, whatever name, fingerprint and join token it shows", async () => {
    await stage.join("box1");
    stage.clock += LATER_MS;
    const asked = await join("box1", machineOf("box1"), "thief");
    expect(asked.body).toEqual({
      is: "waiting",
      name: "box1",
      key: keyId(publicKey("thief")),
      why: "an operator has to approve it: orch node approve box1",
    });
    expect((await join(null, machineOf("box1"), "thief")).body["is"]).toBe("waiting");
    expect(node("box1")).toMatchObject({ public_key: publicKey("box1"), pending: { public_key: publicKey("thief") } });
    expect(stage.api.store.history.events({ limit: 9 }).map(({ verb }) => verb)).toContain("asks_to_join");
  });
  test("becomes the node's once an operator approves it, and what people said of the node stays", async () => {
    const id = await stage.join("box1", { labels: { zone: "a" } });
    await post("drain", { deadline_ms: null, reason: "new fan" });
    await post("label", { set: { rack: "7" }, remove: ["zone"] });
    stage.clock += LATER_MS;
    await join("box1", machineOf("box1"), "new");
    const { body } = await stage.call("GET", "/v1/nodes/box1", { as: "olga" });
    expect(body["waiting"]).toMatchObject({
      key: keyId(publicKey("new")),
      fingerprint: "fingerprint-box1",
      hostname: "box1",
      token_id: "00000000ff",
    });
    expect((await post("approve", { key: "0".repeat(16) })).body.error?.code).toBe("conflict");
    expect((await post("approve", { key: keyId(publicKey("new")) })).status).toBe(200);
    const joined = await join("box1", machineOf("box1"), "new");
    expect(joined.body).toMatchObject({ is: "joined", credential: { node_id: id } });
    expect(node("box1")).toMatchObject({
      id,
      public_key: publicKey("new"),
      admission: "testing",
      pending: null,
      labels: { rack: "7" },
      drain: { by: "olga", reason: "new fan" },
    });
    const approved = stage.api.store.history.events({ limit: 9 }).find(({ verb }) => verb === "approved");
    expect(approved).toMatchObject({ actor: "olga", object: "box1", node_id: id });
  });
  const vouchedBody = (name: string | null, by: string, key = "new") => {
    const token = stage.tokens["agent"] ?? "";
    const { pin, id } = parseToken(token) ?? { pin: "", id: "" };
    const text = Buffer.from(joinText(pin, id, publicKey(key), "fingerprint-box1"));
    const signature = sign(null, text, keyOf(by).key).toString("base64");
    const vouched = { public_key: publicKey("box1"), signature };
    return { ...joinBody(keyOf(key), token, name, machineOf("box1")), vouched };
  };
  const vouch = (name: string | null, by: string) =>
    stage.call("POST", "/v1/join", { as: stage.tokens["agent"] ?? "", body: vouchedBody(name, by) });

  test("becomes it at once when the node's own key has signed for it", async () => {
    await stage.join("box1");
    stage.clock += LATER_MS;
    const forged = await vouch("box1", "new");
    expect(forged.body.error?.message).toBe("the request is not signed by the key that it names");
    await join(null, machineOf("box1"), "thief");
    expect((await vouch("box9", "box1")).body.error?.message).toBe("the key of before is the one of box1");
    expect((await vouch("box1", "box1")).body["is"]).toBe("joined");
    expect(node("box1")).toMatchObject({ public_key: publicKey("new"), pending: null });
  });
  test("becomes it also while the node's agent is connected, whose session ends", async () => {
    const agent = await handAgent(stage, "box1");
    expect((await vouch(null, "box1")).body).toMatchObject({ is: "joined", name: "box1" });
    expect(node("box1")?.public_key).toBe(publicKey("new"));
    expect((await agent.told("refused")).code).toBe("identity_replaced");
    expect(stage.api.store.state.nodes.size).toBe(1);
    // An answer that was lost is given again, and ends no other session.
    expect((await vouch(null, "box1")).body).toMatchObject({ is: "joined", name: "box1" });
  });
  test("keeps its place against a third one, until it stops asking or is refused", async () => {
    await stage.join("box1");
    stage.clock += LATER_MS;
    await join("box1", machineOf("box1"), "second");
    expect((await join("box1", machineOf("box1"), "third")).body.error?.message).toContain("another key waits");
    expect((await post("refuse")).status).toBe(200);
    expect((await join("box1", machineOf("box1"), "third")).body["is"]).toBe("waiting");
    stage.clock += 11 * 60_000;
    expect((await join("box1", machineOf("box1"), "fourth")).body["is"]).toBe("waiting");
    expect(node("box1")?.pending?.public_key).toBe(publicKey("fourth"));
  });
  test("is turned away by a user, and cannot be named by who does not hold it", async () => {
    await stage.join("box1");
    stage.clock += LATER_MS;
    await join("box1", machineOf("box1"), "new");
    for (const as of ["alice", "vera"]) expect((await post("approve", { key: null }, as)).status).toBe(403);
    const token = stage.tokens["agent"] ?? "";
    const stolen = { ...joinBody(keyOf("thief"), token, "box1", machineOf("box1")), public_key: publicKey("new") };
    expect((await stage.call("POST", "/v1/join", { as: token, body: stolen })).status).toBe(400);
  });
  test("ends the session of the key before when it is approved", async () => {
    const agent = await handAgent(stage, "box1");
    agent.hangUp();
    stage.clock += LATER_MS;
    await join("box1", machineOf("box1"), "new");
    await post("approve", { key: null });
    const { credential } = (await join("box1", machineOf("box1"), "new")).body as {
      credential: { public_key: string };
    };
    expect(credential.public_key).toBe(publicKey("new"));
    expect(node("box1")?.rebound).toMatchObject({ boot_id: "boot-1" });
  });
});

describe("a fingerprint that is another node's", () => {
  const CARD = { ...PLAIN_DEVICE, id: "GPU-1", vendor: "nvidia" as const, model: "A100", memory_bytes: 1 };

  test("is not taken by a key that waits under its own, so an operator approves what was shown", async () => {
    await handAgent(stage, "box1", { devices: [CARD] });
    const { token } = await newToken({ approve: true });
    expect((await join("evil", machineOf("evil"), "evil", token)).body["is"]).toBe("waiting");
    const stolen = machineOf("evil", { fingerprint: "fingerprint-box1" });
    const again = await join("evil", stolen, "evil", token);
    expect([again.status, again.body.error?.message]).toEqual([
      409,
      "this key waits to be evil, as another machine or another part of this one (evil)",
    ]);
    stage.clock += LATER_MS;
    expect((await join("evil", machineOf("evil"), "evil", token)).body["is"]).toBe("waiting");
    const seen = { key: keyId(publicKey("evil")) };
    expect((await stage.call("POST", "/v1/nodes/evil/approve", { as: "olga", body: seen })).status).toBe(200);
    expect(node("evil")?.fingerprint).toBe("fingerprint-evil");
    expect((await join("evil", stolen, "evil", token)).status).toBe(409);
  });
  test("is not taken by a node that vouches for itself, nor by a key that asks to be one", async () => {
    await stage.join("box1");
    await stage.join("box2");
    stage.clock += LATER_MS;
    const token = stage.tokens["agent"] ?? "";
    const body = joinBody(keyOf("new"), token, "box1", machineOf("box1", { fingerprint: "fingerprint-box2" }));
    const { pin, id } = parseToken(token) ?? { pin: "", id: "" };
    const text = Buffer.from(joinText(pin, id, publicKey("new"), "fingerprint-box2"));
    const vouched = {
      public_key: publicKey("box1"),
      signature: sign(null, text, keyOf("box1").key).toString("base64"),
    };
    for (const part of [{ vouched }, {}]) {
      const asked = await stage.call("POST", "/v1/join", {
        as: token,
        body: { ...body, ...part, also: ["fingerprint-box1"] },
      });
      expect(asked.body.error?.message).toBe("this machine is box2 already, and cannot be box1");
    }
    expect(node("box1")).toMatchObject({ fingerprint: "fingerprint-box1", pending: null });
  });
  test("is not approved for a key that asked before the other node joined", async () => {
    await stage.join("box1");
    stage.clock += LATER_MS;
    const token = stage.tokens["agent"] ?? "";
    const part = joinBody(keyOf("new"), token, null, machineOf("box1", { fingerprint: "fingerprint-box2" }));
    const asked = { as: token, body: { ...part, also: ["fingerprint-box1"] } };
    expect((await stage.call("POST", "/v1/join", asked)).body["is"]).toBe("waiting");
    await stage.join("box2");
    const approved = await post("approve", { key: null });
    expect(approved.body.error?.message).toBe("this machine is box2 already, and cannot be box1");
    expect(node("box1")?.fingerprint).toBe("fingerprint-box1");
  });
});

describe("fingerprints and keys", () => {
  test("are shown to operators and admins alone", async () => {
    await heardNode(stage, "box1");
    for (const as of ["vera", "alice"]) {
      for (const path of ["/v1/nodes", "/v1/nodes/box1", "/v1/nodes/box1/tests"]) {
        expect(JSON.stringify((await stage.call("GET", path, { as })).body)).not.toContain("fingerprint-box1");
      }
    }
    for (const as of ["olga", "admin"]) {
      const { body } = await stage.call("GET", "/v1/nodes/box1", { as });
      expect(body["identity"]).toEqual({ key: keyId(publicKey("box1")), fingerprint: "fingerprint-box1" });
    }
  });
});

describe("a join token", () => {
  test("lets in as many machines as it says, and says so when it is used up", async () => {
    const { token, id } = await newToken();
    expect((await join("box1", machineOf("box1"), "1", token)).body["is"]).toBe("joined");
    const second = await join("box2", machineOf("box2"), "2", token);
    expect(second.body.error).toMatchObject({
      code: "forbidden",
      message: `the token ${id} is used up: it lets in one machine, and has`,
    });
    expect(node("box2")).toBeUndefined();
    expect(node("box1")?.joined_by).toBe(id);
    const { tokens } = (await stage.call("GET", "/v1/tokens", { as: "olga" })).body as {
      tokens: { id: string; state: string; joins: unknown }[];
    };
    expect(tokens.find((one) => one.id === id)).toMatchObject({ state: "used up", joins: { uses: 1, used: 1 } });
  });
  test("is not used by the same key that asks again, since the answer may have been lost", async () => {
    const { token, id } = await newToken();
    const first = await join("box1", machineOf("box1"), "1", token);
    for (const _ of [1, 2]) {
      const again = await join("box1", machineOf("box1"), "1", token);
      expect(again.body["credential"]).toMatchObject({
        node_id: (first.body["credential"] as { node_id: string }).node_id,
      });
    }
    expect(stage.api.store.state.tokens.get(id)?.joins?.used).toBe(1);
  });
  test("with three uses lets in three of twenty that ask at once", async () => {
    const { token, id } = await newToken({ uses: 3 });
    const names = Array.from({ length: 20 }, (_, n) => `m${n}`);
    const answers = await Promise.all(names.map((name) => join(name, machineOf(name), name, token)));
    expect(answers.filter(({ status }) => status === 200).length).toBe(3);
    expect(answers.filter(({ body }) => body.error?.message.includes("used up")).length).toBe(17);
    expect(stage.api.store.state.nodes.size).toBe(3);
    expect(stage.api.store.state.tokens.get(id)?.joins).toMatchObject({ uses: 3, used: 3 });
  });
  test("of --approve makes a node that waits, gets no work and says why", async () => {
    const { token } = await newToken({ approve: true });
    expect((await join("box1", machineOf("box1"), "1", token)).body["is"]).toBe("waiting");
    await stage.planned();
    const shown = await stage.call("GET", "/v1/nodes/box1", { as: "vera" });
    const reason = "waits for approval: orch node approve box1";
    expect(shown.body).toMatchObject({ state: "joining", reason, waiting: null });
    const job = { name: "once", project: null, job: { run: "true" }, wait_for_nodes: true };
    await stage.call("POST", "/v1/runs", { as: "alice", body: job });
    await waitUntil("the reason", () => stage.api.loop.blocked().length === 1);
    expect(stage.api.loop.blocked()[0]?.summary).toContain("waits for approval");
    for (const verb of ["test", "resume", "resume?skip_tests=true"]) {
      expect((await post(verb)).body.error?.message).toBe("box1 waits for approval");
    }
    expect((await post("approve", { key: null })).body).toMatchObject({
      state: "joining",
      reason: "it was let in, and its agent has not connected yet",
    });
    expect(node("box1")).toMatchObject({ admission: "testing", testing: { by: "olga" }, rebound: null });
    expect((await join("box1", machineOf("box1"), "1", token)).body["is"]).toBe("joined");
  });
  test("has its use back when an operator refuses the machine, and lets it ask no more", async () => {
    const { token, id } = await newToken({ approve: true });
    expect((await join("box1", machineOf("box1"), "1", token)).body["is"]).toBe("waiting");
    expect((await post("refuse")).status).toBe(200);
    for (const _ of [1, 2]) {
      expect((await join("box1", machineOf("box1"), "1", token)).body.error).toMatchObject({
        code: "forbidden",
        message: `an operator has refused this machine (key ${keyId(publicKey("1"))})`,
      });
    }
    expect([node("box1"), (await post("approve", { key: null })).status]).toEqual([undefined, 404]);
    const { tokens } = (await stage.call("GET", "/v1/tokens", { as: "olga" })).body as {
      tokens: { id: string; state: string; joins: unknown }[];
    };
    const joins = { uses: 1, used: 0, approve: true, pool: null };
    expect(tokens.find((one) => one.id === id)).toMatchObject({ state: "valid", joins });
    expect((await join("box2", machineOf("box2"), "2", token)).body["is"]).toBe("waiting");
    const another = await newToken();
    expect((await join("box1", machineOf("box1"), "1", another.token)).body["is"]).toBe("joined");
  });
  test("refused for another key of a known node gives its use back too, and the node keeps its own", async () => {
    await stage.join("box1");
    const { token, id } = await newToken();
    expect((await join(null, machineOf("box1"), "1", token)).body["is"]).toBe("waiting");
    await post("refuse");
    const again = await join(null, machineOf("box1"), "1", token);
    expect(again.body.error?.message).toContain("has refused this machine");
    expect(stage.api.store.state.tokens.get(id)?.joins?.used).toBe(0);
    expect(node("box1")).toMatchObject({ public_key: publicKey("box1"), pending: null });
  });
  test("is what a machine needs that shows a person's", async () => {
    const token = stage.tokens["admin"] ?? "";
    expect((await join("box1", machineOf("box1"), "1", token)).body.error).toMatchObject({
      message: "a token of admin's own is not enough: a machine joins with a join token",
      hint: "Make one on the server: orch token new --role agent",
    });
    const drained = await stage.call("POST", "/v1/nodes/box1/drain", { as: "alice", body: {} });
    expect(drained.body.error?.hint).toBe("Ask an operator of this cluster");
  });
  test("of a pool puts its machines there, whatever their agents say, then and later", async () => {
    const { token } = await newToken({ pool: "lab" });
    await join("box1", machineOf("box1", { pool: "vault" }), "box1", token);
    expect(node("box1")?.pool).toBe("lab");
    const agent = await handAgent(stage, "box1", { pool: "vault" });
    expect(node("box1")?.pool).toBe("lab");
    agent.hangUp();
  });
  test("of a person takes no such terms", async () => {
    const body = { role: "viewer", user: null, expires_ms: null, uses: 3 };
    expect((await stage.call("POST", "/v1/tokens", { as: "olga", body })).status).toBe(400);
  });
  test("is no use to an agent of the protocol before, which is told to be upgraded", async () => {
    const body = { name: "box1", public_key: "key", machine: machineOf("box1") };
    const { status, body: answer } = await stage.call("POST", "/v1/join", { as: "agent", body });
    expect([status, answer.error?.message]).toEqual([400, "the agent speaks protocol 1, the server 2"]);
  });
});
