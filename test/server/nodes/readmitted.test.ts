// A machine that a restore has made two nodes: one of before the copy was made, which was forgotten after that, and the
// one that the machine is now.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { sign } from "node:crypto";
import { signCredential } from "../../../src/server/access/identity";
import { joinText } from "../../../src/wire/join";
import { parseToken } from "../../../src/wire/token";
import { joinBody, keyOf } from "../../support/keys";
import { Recorder } from "../recorder";
import { machineOf, makeStage, type Answer, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
  await stage.join("box1");
  stage.clock += 61_000;
});
afterEach(async () => stage.close());

const MACHINE = machineOf("box1");
const NODE_ID = "d".repeat(32);
const nodes = () => [...stage.api.store.state.nodes.values()];
const events = (verb: string) => stage.api.store.history.events({ limit: 50 }).filter((one) => one.verb === verb);

/** The agent comes that joined as `name` after the copy was made. */
async function readmit(name = "box1"): Promise<void> {
  const { key, public_key } = keyOf("now");
  const { identity, store } = stage.api;
  const { cluster_id } = store.state.cluster;
  const who = { cluster_id, node_id: NODE_ID, name, public_key, fingerprint: MACHINE.fingerprint };
  const credential = signCredential(identity, { ...who, since_ms: stage.clock, pool: null });
  await Recorder.dial(stage, { name: "box1", key, credential }).live("1".repeat(32));
}

/** Asks to join with a new key, for which another one of the machine vouches. */
function join(key: string, name: string | null, by: string | null = null): Promise<Answer> {
  const token = stage.tokens["agent"] ?? "";
  const body = joinBody(keyOf(key), token, name, MACHINE);
  if (by === null) return stage.call("POST", "/v1/join", { as: token, body });
  const { pin, id } = parseToken(token) ?? { pin: "", id: "" };
  const text = Buffer.from(joinText(pin, id, body.public_key, MACHINE.fingerprint));
  const { key: voucher, public_key } = keyOf(by);
  const vouched = { public_key, signature: sign(null, text, voucher).toString("base64") };
  return stage.call("POST", "/v1/join", { as: token, body: { ...body, vouched } });
}

test("that there is an older node of the machine is said when the newer one is admitted again", async () => {
  await readmit();
  expect(nodes().map(({ name }) => name)).toEqual(["box1", "box1-2"]);
  expect(events("readmitted")).toMatchObject([
    {
      object: "box1-2",
      detail:
        "it joined after the backup was made; box1 is this machine too, from before. If its agent is off for good, " +
        "and none of its tasks can live: orch node forget box1 --fenced",
    },
  ]);
});

test("a new key joins as the node whose own key vouches for it", async () => {
  await readmit();
  expect((await join("next", null, "now")).body).toMatchObject({ is: "joined", name: "box1-2" });
  expect((await join("after", "box1-2", "next")).body).toMatchObject({ is: "joined", name: "box1-2" });
  expect(nodes().map(({ name }) => name)).toEqual(["box1", "box1-2"]);
});

test("a new key that nothing vouches for waits to be the newer node, or the older one by its name", async () => {
  await readmit();
  expect((await join("next", null)).body.error?.message).toBe("an agent is connected as box1-2 from this machine");
  stage.clock += 61_000;
  expect((await join("next", "box1")).body).toMatchObject({ is: "waiting", name: "box1" });
  const approved = await stage.call("POST", "/v1/nodes/box1/approve", { as: "olga", body: { key: null } });
  expect(approved.status).toBe(200);
  expect((await join("next", "box1")).body).toMatchObject({ is: "joined", name: "box1" });
});

test("a key that waits to be a node at all is not approved beside the node that its machine is", async () => {
  const made = await stage.call("POST", "/v1/tokens", {
    as: "olga",
    body: { role: "agent", user: null, expires_ms: null, approve: true },
  });
  const token = String(made.body["token"]);
  const machine = machineOf("box2");
  const body = joinBody(keyOf("waits"), token, "box2", machine);
  expect((await stage.call("POST", "/v1/join", { as: token, body })).body["is"]).toBe("waiting");
  // The restored copy knows the request, and not the node that the machine became another way.
  await stage.api.store.commit("test", (draft) => {
    const [first] = draft.state.nodes.values();
    if (first === undefined) throw new Error("no node");
    draft.put([{ table: "nodes", key: first.id, row: { ...first, fingerprint: machine.fingerprint } }]);
  });
  const approved = await stage.call("POST", "/v1/nodes/box2/approve", { as: "olga", body: { key: null } });
  expect(approved.body.error).toMatchObject({
    message: "this machine is box1 already, and cannot be box2",
    hint: expect.stringContaining("orch node forget box1 --fenced"),
  });
});
