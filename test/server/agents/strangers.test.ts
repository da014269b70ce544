// What a stranger sends costs the server next to nothing: before the proof only the proof is read. And what a node
// sends occupies the server for a moment only, however much of it is wrong.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { joinBody, keyOf } from "../../support/keys";
import { joinWithKey, Recorder } from "../recorder";
import { machineOf, makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

/** Such a list took 13 to 50 seconds. The bound leaves room for a loaded machine. */
const AT_MOST_MS = 3_000;
const WRONG = 330_000;

/** Returns the text with a list of wrong entries in the place of `"HERE"`. */
const full = (message: object, entry = "{}", count = WRONG): string =>
  JSON.stringify(message).replace('"HERE"', `[${Array<string>(count).fill(entry).join(",")}]`);

function tookMs(work: () => void): number {
  const began_ms = performance.now();
  work();
  return performance.now() - began_ms;
}

describe("before its proof", () => {
  test("a hello of a megabyte of wrong cards is refused at once", async () => {
    const stranger = Recorder.dial(stage, await joinWithKey(stage, "box1"));
    await stranger.expect("challenge");
    const text = full({ type: "hello", protocol: 2, machine: { devices: "HERE" } });
    expect(tookMs(() => stranger.say(text))).toBeLessThan(AT_MOST_MS);
    expect(await stranger.expect("refused")).toMatchObject({ code: "malformed" });
  });

  test.each(["inventory", "report", "heartbeat"] as const)(
    "a message of type %s ends the connection, and nobody logs it",
    async (type) => {
      const stranger = Recorder.dial(stage, await joinWithKey(stage, "box1"));
      await stranger.expect("challenge");
      stranger.say(JSON.stringify({ type, entries: [{ uid: "x" }], unreadable: [], seq: 1, last: true }));
      expect(await stranger.expect("refused")).toMatchObject({ code: "malformed" });
      expect(stranger.closed).not.toBeNull();
      expect(stage.said).toEqual([]);
    },
  );
});

describe("after its proof", () => {
  test.each<[string, object, string]>([
    ["cards", { type: "facts", machine: { ...machineOf("box1"), devices: "HERE" } }, "{}"],
    ["entries", { type: "report", seq: 1, entries: "HERE" }, "{}"],
    ["promised cards", { type: "inventory", entries: [], unreadable: "HERE", last: true }, promised()],
  ])("four megabytes of wrong %s occupy the server for a moment", async (_what, message, entry) => {
    const node = Recorder.dial(stage, await joinWithKey(stage, "box1"));
    await node.live("a");
    const text = full(message, entry, Math.floor(4_000_000 / (entry.length + 1)));
    expect(tookMs(() => node.say(text))).toBeLessThan(AT_MOST_MS);
  });

  /** An orphan whose promise holds as many wrong cards as the schema looks at. */
  function promised(): string {
    const devices = Array<object>(500).fill({});
    return JSON.stringify({ uid: "a", name: "", pid: null, held: { devices, ports: devices } });
  }
});

test("a stranger learns that the server is up, and not which release it is of", async () => {
  expect((await stage.call("GET", "/v1/health", { as: null })).body).toEqual({ status: "ok" });
});

test("a join with a megabyte of wrong cards is refused at once", async () => {
  const body = joinBody(keyOf("box2"), stage.tokens["agent"] ?? "", "box2", machineOf("box2"));
  const raw = full({ ...body, machine: { ...machineOf("box2"), devices: "HERE" } });
  const began_ms = performance.now();
  const answer = await stage.call("POST", "/v1/join", { as: "agent", raw });
  expect(performance.now() - began_ms).toBeLessThan(AT_MOST_MS);
  expect([answer.status, answer.body.error?.message]).toEqual([400, expect.stringContaining("machine.devices")]);
});
