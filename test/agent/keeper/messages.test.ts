// What agent and keeper say to each other is believed field by field: neither falls over what the other has not said.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseFromKeeper, parseToKeeper, toldBy, type TaskOrder } from "../../../src/agent/keeper/messages";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { connectLines, listenLines, type LinePeer } from "../../../src/os/files/lines";
import { begin, assignmentFor, ended, makeSite, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const uid = "0123456789abcdef0123456789abcdef";
const ORDER: TaskOrder = {
  uid,
  name: "a",
  argv: ["true"],
  env: { A: "b" },
  workdir: null,
  home: "/",
  account: null,
  limits: { cpu_milli: 1, memory_bytes: null, pids: 1 },
  denied: [{ major: 1, minor: 3 }],
  oom_score_adj: 0,
  marker: "ORCH_TASK=a",
  stop: { signal: "TERM", grace_ms: 1 },
  lease_ms: null,
  log_cap_bytes: 1,
  held: null,
};
const BATCH = { parts: [[0, 9]], round: 1, places: 2, first: 0, step: 1, begins_for_ms: 1, time_limit_ms: null };
const NONE = [null, undefined, 5, "start", [], {}, { do: "dance" }, { is: "dancing" }] as const;

describe("a keeper", () => {
  test("understands orders of its own and of earlier releases, and what is new in later ones", () => {
    const { denied: _, ...earlier } = ORDER;
    for (const order of [ORDER, earlier, { ...ORDER, new_field: 1 }]) {
      expect(parseToKeeper({ do: "start", order })).toMatchObject({ is: "asked", message: { do: "start", order } });
    }
    expect(parseToKeeper({ do: "lease", heard_boot_ms: 4 }).is).toBe("asked");
    expect(parseToKeeper({ do: "halt", uid }).is).toBe("asked");
    expect(parseToKeeper({ do: "start", order: { ...ORDER, batch: BATCH } }).is).toBe("asked");
  });
  for (const line of [...NONE, { do: "lease" }, { do: "halt" }, { do: "start" }, { do: "start", order: null }]) {
    test(`does not understand ${JSON.stringify(line)}`, () =>
      expect(parseToKeeper(line)).toMatchObject({ is: "not understood", uid: null }));
  }
  test("refuses an exclusive batch", () =>
    expect(parseToKeeper({ do: "start", order: { ...ORDER, batch: BATCH, lease_ms: 1 } })).toEqual({
      is: "not understood",
      why: "an order of an exclusive batch",
      uid,
    }));
  for (const [name, value] of [
    ["argv", []],
    ["argv", ["a", 1]],
    ["env", { A: 1 }],
    ["account", { name: "bob" }],
    ["limits", null],
    ["denied", [{}]],
    ["stop", {}],
    ["lease_ms", "1"],
    ["batch", null],
    ["batch", { ...BATCH, parts: [[3, 2]] }],
    ["batch", { ...BATCH, places: 0 }],
    ["batch", { ...BATCH, time_limit_ms: undefined }],
  ] as const) {
    test(`refuses an order whose ${name} is ${JSON.stringify(value)}`, () =>
      expect(parseToKeeper({ do: "start", order: { ...ORDER, [name]: value } })).toEqual({
        is: "not understood",
        why: `an order without a valid ${name}`,
        uid,
      }));
  }
});

describe("an agent", () => {
  const exit = { exit_code: 0, signal: null, started_ms: 1, ended_ms: 2 };
  for (const line of [
    { is: "here", version: "1", uids: [] },
    { is: "started", uid, pid: 3, start: "4", started_ms: 5 },
    { is: "refused", uid, why: "because" },
    { is: "elements", uid, ended: 3, open: 2 },
    { is: "refused", uid, why: "because", dropped: true as const },
    { is: "ended", uid, exit: { ...exit, peak_memory_bytes: null, oom: false, left: 0, reason: null } },
  ] as const) {
    test(`understands "${line.is}"`, () => {
      expect(parseFromKeeper(toldBy(line, clocksNow()))).toEqual({ is: "told", message: line });
    });
  }
  for (const line of [...NONE, { is: "here", version: "1" }, { is: "started", uid: 3 }]) {
    test(`does not understand ${JSON.stringify(line)}`, () =>
      expect(parseFromKeeper(line)).toMatchObject({ is: "not understood", uid: null }));
  }
  test("knows which task a broken line is of", () =>
    expect(parseFromKeeper({ is: "ended", uid, exit: null })).toMatchObject({ is: "not understood", uid }));
});

describe("on the line", () => {
  let site: Site;
  beforeEach(async () => {
    site = await makeSite();
  });
  afterEach(async () => expect(await site.close()).toEqual([]));

  test("a keeper says what it does not understand, and goes on", async () => {
    const tasks = await site.open();
    await begin(tasks, assignmentFor("true"));
    const [socket = ""] = readdirSync(join(site.data, "keepers"));
    const heard: unknown[] = [];
    const connected = await connectLines(join(site.data, "keepers", socket), () => ({
      message: (message) => void heard.push(message),
      closed: () => void heard.push("closed"),
    }));
    if (connected.is === "failed") throw new Error(connected.why);
    const { peer } = connected;
    for (const line of [null, 5, [], { do: "start", order: { ...ORDER, argv: null } }]) peer.send(line);
    await waitUntil("the refusal", () => heard.length >= 2);
    expect(heard[1]).toEqual({ is: "refused", uid, why: "an order without a valid argv" });
    expect(await Bun.file(join(site.data, "keeper.log")).text()).toContain("a line was not understood");
    const next = await begin(tasks, assignmentFor("exit 3"));
    expect(await ended(tasks, next)).toMatchObject({ exit_code: 3 });
    expect(heard).not.toContain("closed");
    peer.close();
  });

  test("an agent says what its keeper said that it does not understand, and goes on", async () => {
    mkdirSync(join(site.data, "keepers"), { recursive: true });
    let peer: LinePeer | null = null;
    const server = listenLines(join(site.data, "keepers", "1.sock"), (one) => {
      peer = one;
      one.send({ is: "here", version: "1", uids: [uid] });
      return { message: () => undefined, closed: () => undefined };
    });
    const tasks = await site.open();
    for (const line of [null, 5, [], { is: "ended", uid, exit: null }]) (peer as LinePeer | null)?.send(line);
    await waitUntil("the agent to say so", () => site.said.length >= 4);
    expect(site.said.join("\n")).toContain("a keeper says what is not understood: not an answer: null");
    (peer as LinePeer | null)?.send({ is: "started", uid, pid: process.pid, start: "0", started_ms: 5 });
    await waitUntil("the next line to be heard", () => tasks.driver.seen().get(uid)?.process.is === "alive");
    server.stop();
  });
});
