// Inputs of runs at the server: taken in parts, held to their hash and to bounds, each person's own, and kept as long
// as an open run needs them.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { HOUSE_LIMITS } from "../../src/core/limits";
import { HOUR_MS, MIB } from "../../src/core/units";
import { handAgent } from "./hand-agent";
import { machineOf, makeStage, type Answer, type Stage } from "./stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(() => stage.close());

const RAW = { "content-type": "application/octet-stream" };
const hashOf = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
const content = (seed: number, length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, n) => (n * seed + (n >> 8)) % 256);

interface Put {
  readonly sha256?: string;
  readonly bytes?: number;
  readonly offset?: number;
}

function put(as: string, part: Uint8Array<ArrayBuffer>, given: Put = {}): Promise<Answer> {
  const { sha256 = hashOf(part), bytes = part.length, offset = 0 } = given;
  const path = `/v1/inputs/${sha256}?bytes=${bytes}&offset=${offset}`;
  return stage.call("PUT", path, { as, raw: part, headers: RAW });
}

/** A machine whose agent gives tasks their input. */
const NEW = { facts: { ...machineOf("new").facts, takes_stdin: true } };
const JOB = { command: ["cat"], resources: { cpu: "10m", memory: "8MiB" } };
const make = (as: string, stdin: unknown): Promise<Answer> =>
  stage.call("POST", "/v1/runs", {
    as,
    body: { name: null, project: null, job: JOB, wait_for_nodes: true, ...(stdin === undefined ? {} : { stdin }) },
  });

describe("an upload", () => {
  test("comes in parts, in their order, and may be repeated", async () => {
    const whole = content(3, 300_000);
    const of = { sha256: hashOf(whole), bytes: whole.length };
    const [first, second] = [whole.slice(0, 200_000), whole.slice(200_000)];
    expect((await put("alice", second, { ...of, offset: 200_000 })).body).toEqual({ received_bytes: 0 });
    expect((await put("alice", first, of)).body).toEqual({ received_bytes: 200_000 });
    expect((await put("alice", first, of)).body).toEqual({ received_bytes: 200_000 });
    expect((await make("alice", of)).body.error?.code).toBe("conflict");
    expect((await put("alice", second, { ...of, offset: 200_000 })).body).toEqual({ received_bytes: 300_000 });
    expect((await put("alice", first, of)).body).toEqual({ received_bytes: 300_000 });
    expect((await make("alice", of)).body).toMatchObject({ run: 1 });
  });
  test("with other bytes than its hash says is refused, and can be made anew", async () => {
    const [right, wrong] = [content(3, 1_000), content(5, 1_000)];
    const of = { sha256: hashOf(right), bytes: 1_000 };
    expect((await put("alice", wrong, of)).body.error?.message).toContain("these are not the bytes of");
    expect((await make("alice", of)).body.error?.code).toBe("conflict");
    expect((await put("alice", right, of)).body).toEqual({ received_bytes: 1_000 });
    expect((await put("alice", right, { ...of, bytes: 999 })).status).toBe(400);
    expect((await put("alice", content(3, 2_000), { ...of, sha256: hashOf(wrong) })).status).toBe(400);
  });
  test("is held to its bounds", async () => {
    const part = content(1, 8);
    const { input_bytes, inputs_sum_each_bytes } = HOUSE_LIMITS;
    const sha256 = (n: number): string => hashOf(content(n, n + 1));
    expect((await put("alice", part, { bytes: input_bytes + 1 })).status).toBe(413);
    expect((await put("alice", part, { sha256: "x" })).status).toBe(400);
    expect((await put("alice", part, { sha256: `../${"0".repeat(61)}` })).status).toBe(404);
    expect((await put("alice", new Uint8Array(2 * MIB), { bytes: input_bytes })).status).toBe(413);
    expect((await put("vera", part)).status).toBe(403);
    const answer = await stage.call("PUT", `/v1/inputs/${sha256(1)}`, { as: "alice", raw: part });
    expect(answer.body.error?.message).toContain("the query is not of this route");
    for (let n = 0; n < inputs_sum_each_bytes / input_bytes; n++) {
      expect((await put("alice", part, { sha256: sha256(n), bytes: input_bytes })).status).toBe(200);
    }
    const full = await put("alice", part, { sha256: sha256(1_000), bytes: input_bytes });
    expect([full.status, full.body.error?.message]).toEqual([429, "the inputs of alice's runs take 4GiB"]);
    expect((await put("bob", part, { sha256: sha256(1_000), bytes: input_bytes })).status).toBe(200);
    // What nobody needs makes way for the next one soon.
    stage.clock += 2 * 60_000;
    expect((await put("alice", part, { sha256: sha256(1_000), bytes: input_bytes })).status).toBe(200);
  });
});

describe("an input is its owner's own", () => {
  const secret = content(9, 5_000);
  const of = { sha256: hashOf(secret), bytes: secret.length };

  test("so that nobody gets it by its hash", async () => {
    await put("alice", secret);
    for (const name of ["bob", "olga", "admin"]) {
      expect((await make(name, of)).body.error).toMatchObject({ code: "conflict" });
      // To claim a part of it shows that nothing of it is there for them.
      expect((await put(name, secret.slice(0, 10), of)).body).toEqual({ received_bytes: 10 });
      expect((await make(name, of)).body.error).toMatchObject({ code: "conflict" });
    }
    expect((await make("alice", of)).status).toBe(200);
  });
  test("also where an app's job is run again", async () => {
    const text = "app: shop\njobs:\n  load: { run: cat }\n";
    const body = { text, file: "shop.yaml", revision: 0 };
    expect((await stage.call("PUT", "/v1/apps/lab/shop", { as: "alice", body })).status).toBe(200);
    const again = (as: string): Promise<Answer> =>
      stage.call("POST", "/v1/workloads/lab/shop/load/run", { as, body: { stdin: of, wait_for_nodes: true } });
    await put("alice", secret);
    expect((await again("admin")).body.error).toMatchObject({ code: "conflict" });
    expect((await again("alice")).body).toMatchObject({ run: 2 });
    const rows = stage.api.store.state.runs.values().toArray();
    expect(rows.map(({ run, stdin }) => [run, stdin])).toEqual([
      [1, null],
      [2, of],
    ]);
  });
  test("and its hash is shown to those who may see the inside of the run", async () => {
    await put("alice", secret);
    await make("alice", of);
    const shown = async (as: string): Promise<unknown> => (await stage.call("GET", "/v1/runs/1", { as })).body["stdin"];
    expect(await shown("alice")).toEqual(of);
    expect(await shown("olga")).toEqual(of);
    expect(await shown("bob")).toEqual({ bytes: of.bytes, sha256: null });
  });
});

describe("an input stays", () => {
  const bytes = content(2, 100);
  const of = { sha256: hashOf(bytes), bytes: bytes.length };

  test("as long as an open run needs it, and an hour longer", async () => {
    await put("alice", bytes);
    await make("alice", of);
    stage.clock += 9 * HOUR_MS;
    stage.api.inputs.prune();
    expect((await make("alice", of)).status).toBe(200);
    for (const run of [1, 2])
      await stage.call("POST", `/v1/runs/${run}/cancel`, { as: "alice", body: { signal: null } });
    await stage.planned();
    expect(stage.api.store.state.runs.size).toBe(0);
    stage.clock += HOUR_MS - 1;
    stage.api.inputs.prune();
    expect((await make("alice", of)).status).toBe(200);
    await stage.call("POST", "/v1/runs/3/cancel", { as: "alice", body: { signal: null } });
    await stage.planned();
    stage.clock += HOUR_MS;
    stage.api.inputs.prune();
    expect((await make("alice", of)).body.error?.code).toBe("conflict");
  });
  test("without a run for an hour, whole or not", async () => {
    await put("alice", bytes);
    await put("alice", content(4, 10), { sha256: hashOf(content(4, 20)), bytes: 20 });
    stage.clock += HOUR_MS;
    stage.api.inputs.prune();
    expect((await make("alice", of)).body.error?.code).toBe("conflict");
    const again = await put("alice", new Uint8Array(0), { sha256: hashOf(content(4, 20)), bytes: 20, offset: 10 });
    expect(again.body).toEqual({ received_bytes: 0 });
  });
});

describe("a node", () => {
  const bytes = content(7, 300_000);
  const of = { sha256: hashOf(bytes), bytes: bytes.length };

  async function assigned(): Promise<{ uid: string; agent: Awaited<ReturnType<typeof handAgent>> }> {
    await put("alice", bytes);
    const agent = await handAgent(stage, "n1", NEW);
    await make("alice", of);
    await stage.planned();
    const { changes } = await agent.told("changes");
    const [verb] = changes;
    if (verb?.verb !== "assign") throw new Error("no task came");
    expect(verb.task.stdin).toEqual(of);
    return { uid: verb.task.uid, agent };
  }

  test("gets the input of its own task, part by part", async () => {
    const { uid, agent } = await assigned();
    const got: Uint8Array[] = [];
    for (let offset = 0, n = 1; offset < bytes.length; n++) {
      agent.say({ type: "fetch", fetch: n, uid, offset });
      const { bytes: part } = await agent.frame(n);
      got.push(part);
      offset += part.length;
    }
    expect(hashOf(Buffer.concat(got))).toBe(of.sha256);
    expect(Math.max(...got.map(({ length }) => length))).toBe(HOUSE_LIMITS.input_part_bytes);
  });
  test("gets nothing of another node's task", async () => {
    const { uid } = await assigned();
    const other = await handAgent(stage, "n2", NEW);
    other.say({ type: "fetch", fetch: 1, uid, offset: 0 });
    expect(await other.told("unfetched")).toMatchObject({
      fetch: 1,
      gone: false,
      why: "no open task of this node has an input",
    });
  });
  test("that asks for what is gone never begins: its run is cancelled, and says why", async () => {
    const { uid, agent } = await assigned();
    for (const name of readdirSync(stage.inputs)) rmSync(join(stage.inputs, name));
    agent.say({ type: "fetch", fetch: 1, uid, offset: 0 });
    expect(await agent.told("unfetched")).toMatchObject({ gone: true });
    await stage.planned();
    const run = stage.api.store.state.runs.values().next().value;
    expect(run?.cancel?.by).toBe("the server");
    expect(run?.reason).toBe("its standard input is not on the server any more: run it again");
  });
  test("of an earlier release is not given a run with an input", async () => {
    await put("alice", bytes);
    await handAgent(stage, "old", { facts: machineOf("old").facts });
    const body = { name: null, project: null, job: JOB, wait_for_nodes: false };
    const refused = await stage.call("POST", "/v1/runs", { as: "alice", body: { ...body, stdin: of } });
    expect(refused.body.error?.code).toBe("unsatisfiable");
    expect(JSON.stringify(refused.body.error)).toContain("gives tasks no standard input");
    expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
  });
});
