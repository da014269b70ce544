// A request whose body comes slowly was let in long before it is handled. What was taken away meanwhile is gone: a
// token, a person, a role, a join token.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { joinNode } from "../../../src/server/nodes/join";
import { mintToken } from "../../../src/server/access/tokens";
import { joinBody, keyOf } from "../../support/keys";
import { waitUntil } from "../../support/wait";
import { type Answer, machineOf, makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const TOKEN = { role: "user", user: "alice", expires_ms: null };
const RUN = { job: { run: "true" }, name: null, project: null, wait_for_nodes: true };

const rejection = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => null).catch((error: unknown) => error);

interface Slow {
  /** Sends the rest of the body, and returns the answer. */
  finish(): Promise<Answer>;
}

/** Sends a request up to the first bytes of its body, and waits until the server reads on. */
async function begun(method: string, path: string, as: string, body: unknown): Promise<Slow> {
  const text = new TextEncoder().encode(JSON.stringify(body));
  const rest = Promise.withResolvers<undefined>();
  let pulls = 0;
  const slow = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (++pulls === 1) return controller.enqueue(text.slice(0, 5));
        await rest.promise;
        controller.enqueue(text.slice(5));
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { authorization: `Bearer ${stage.tokens[as] ?? as}`, "content-type": "application/json" };
  const request = new Request(`http://127.0.0.1:4400${path}`, { method, headers, body: slow });
  const answer = Promise.resolve(stage.app.request(request));
  await waitUntil("the server to read on", () => pulls > 1);
  return {
    async finish() {
      rest.resolve(undefined);
      const given = await answer;
      return { status: given.status, headers: given.headers, body: (await given.json()) as Answer["body"] };
    },
  };
}

async function revoke(id: string): Promise<void> {
  expect((await stage.call("DELETE", `/v1/tokens/${id}`)).status).toBe(200);
}

async function change(name: string, part: object): Promise<void> {
  await stage.api.store.commit("test", (draft) => {
    const user = draft.state.users.get(name)!;
    draft.put([{ table: "users", key: name, row: { ...user, ...part } }]);
  });
}

describe("a request that was begun with what is gone", () => {
  test("makes no token with a token that was revoked meanwhile", async () => {
    const slow = await begun("POST", "/v1/tokens", "alice", TOKEN);
    await revoke("0000000002");
    const before = stage.api.store.state.tokens.size;
    const { status, body } = await slow.finish();
    expect([status, body.error?.message]).toEqual([401, "the token 0000000002 was revoked"]);
    expect(stage.api.store.state.tokens.size).toBe(before);
  });
  test("queues no run of a person who was removed", async () => {
    const slow = await begun("POST", "/v1/runs", "bob", RUN);
    expect((await stage.call("DELETE", "/v1/users/bob")).status).toBe(200);
    expect((await slow.finish()).status).toBe(401);
    expect(stage.api.store.state.runs.size).toBe(0);
  });
  test("lets no machine in with a join token that was revoked", async () => {
    const body = joinBody(keyOf("evil"), stage.tokens["agent"] ?? "", "evil", machineOf("evil"));
    const slow = await begun("POST", "/v1/join", "agent", body);
    await revoke("00000000ff");
    expect((await slow.finish()).status).toBe(401);
    expect(stage.api.store.state.nodes.size).toBe(0);
  });
  test.each([{ role: "viewer" as const }, { project: "other" }, { accounts: ["lab"] }])(
    "is refused when its person has %o meanwhile",
    async (part) => {
      const slow = await begun("POST", "/v1/runs", "alice", RUN);
      await change("alice", part);
      const { status, body } = await slow.finish();
      expect([status, body.error?.code]).toEqual([409, "conflict"]);
      expect(stage.api.store.state.runs.size).toBe(0);
    },
  );
  test("shows nothing either", async () => {
    const text = "app: web\nservices: { api: { run: sleep 9 } }\n";
    const slow = await begun("POST", "/v1/plan", "alice", { text, file: "f", revision: null });
    await change("alice", { role: "viewer" });
    expect((await slow.finish()).status).toBe(409);
  });
});

test("a commit that stands behind the revocation in one batch is refused", async () => {
  const [revoked, made] = await Promise.all([
    stage.call("DELETE", "/v1/tokens/0000000002", { as: "alice" }),
    stage.call("POST", "/v1/tokens", { as: "alice", body: TOKEN }),
  ]);
  expect([revoked.status, made.status]).toEqual([200, 401]);
});

test("no token is made under one that is over, and none that is over lets a machine in", async () => {
  await Promise.all(["00000000ff", "0000000002"].map(revoke));
  const { store, seed } = stage.api;
  const wish = { role: "user" as const, user: "alice", expires_ms: null, joins: null, parent: "0000000002" };
  const made = store.commit("test", (draft) => mintToken(draft, seed, { ...wish, detail: "" }, () => "secret"));
  expect(String(await rejection(made))).toContain("the token 0000000002 was revoked");
  const joining = {
    name: "box1",
    public_key: keyOf("box1").public_key,
    vouched_by: null,
    machine: machineOf("box1"),
    also: [],
    token_id: "00000000ff",
    address: "10.0.0.1",
    uid: "1".repeat(32),
    order: () => ({ id: "1", why: "it joined", by: "server", at_ms: 1 }) as never,
    inUse: () => false,
  };
  const joined = store.commit("test", (draft) => joinNode(draft, joining));
  expect(String(await rejection(joined))).toContain("the token 00000000ff was revoked");
});
