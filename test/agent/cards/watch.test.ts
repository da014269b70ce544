// The watch over a scripted probe, with the clock in the test's hand: when it looks, what it tells, what it remembers.

import { afterAll, afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { CardTask } from "../../../src/core/agent/card-users";
import { PLAIN_DEVICE } from "../../../src/core/model/device";
import { shortId } from "../../../src/core/model/task";
import { GIB, MIB } from "../../../src/core/units";
import { device, reading } from "../../../src/wire/nouns";
import { accountOfProcess } from "../../../src/os/machine";
import { blocked, makeWatchRoot, makeWatchSite, pass, states, taskOn, type WatchSite } from "../../support/watched";
import { cardFor, scriptedProbe, seenAs, type ScriptedProbe } from "../../support/cards";

const IDLE = 500 * MIB;
const FAKE = { ...PLAIN_DEVICE, id: "fake-1", vendor: "nvidia" as const, model: "A100", memory_bytes: 80 * GIB };

const { root, remove } = makeWatchRoot();
afterAll(remove);
let site: WatchSite;
beforeEach(() => {
  site = makeWatchSite(root);
});
afterEach(() => site.close());

describe("a machine without cards", () => {
  test("has no timer, says nothing and keeps no file", async () => {
    const watch = site.open([], [FAKE]);
    expect(blocked(watch)).toEqual({ "fake-1": null });
    expect(jest.getTimerCount()).toBe(0);
    await pass(60_000);
    expect(watch.readings()).toEqual([]);
    expect(site.said).toEqual([]);
    expect(watch.devices()).toEqual([FAKE]);
  });
});

describe("looking", () => {
  test("tells nothing that a server would refuse, whatever a driver counts", async () => {
    const processes = [
      { pid: Number.NaN, memory_bytes: 1 },
      { pid: 2 ** 22 + 1, memory_bytes: 0.5 },
    ];
    const odd = { memory_bytes: GIB + 0.25, memory_used_bytes: 1e30, ecc_errors: 2 ** 64, processes };
    const watch = site.open([scriptedProbe(seenAs(cardFor("GPU-1", odd), cardFor("GPU-2", { ecc_errors: -1 })))]);
    blocked(watch);
    await pass(1_000);
    const read = z.array(reading).safeParse(JSON.parse(JSON.stringify(watch.readings())));
    expect(read.data?.map(({ processes: shown }) => shown.length)).toEqual([1, 0]);
    expect(z.array(device).safeParse(JSON.parse(JSON.stringify(watch.devices()))).success).toBe(true);
  });

  test("begins when the living tasks are known, and opens a clean card", async () => {
    const probe = scriptedProbe(seenAs(cardFor("GPU-1")));
    const watch = site.open([probe], [FAKE]);
    await pass(1_000);
    expect(probe.looks).toBe(0);
    let changes = 0;
    watch.onChange(() => changes++);
    expect(blocked(watch)).toEqual({ "fake-1": null });
    await pass(0);
    expect(changes).toBe(1);
    expect(blocked(watch)).toEqual({ "GPU-1": null, "fake-1": null });
    expect(watch.devices()[0]).toMatchObject({ id: "GPU-1", pci: "0000:65:00.0", state: "ok", foreign_bytes: 0 });
    expect(watch.readings()).toMatchObject([{ id: "GPU-1", stale: false, temperature_celsius: 30, processes: [] }]);
  });

  const paces: readonly (readonly [string, (id: string) => CardTask[], number])[] = [
    ["every 5 s when nothing is going on", () => [], 12],
    ["no more often for a task that has the card to itself", (id) => [taskOn(id)], 12],
    ["every second while a share of it is used", (id) => [taskOn(id, 8 * GIB)], 60],
  ];
  for (const [what, tasks, looks] of paces) {
    test(what, async () => {
      const probe = scriptedProbe(seenAs(cardFor("GPU-1")));
      const watch = site.open([probe]);
      blocked(watch);
      await pass(0);
      const living = tasks("GPU-1");
      blocked(watch, living);
      await pass(5_000);
      const before = probe.looks;
      await pass(60_000);
      expect(probe.looks - before).toBeGreaterThanOrEqual(looks - 3);
      expect(probe.looks - before).toBeLessThanOrEqual(looks);
    });
  }

  test("that hangs leaves the last values as stale, tries no second time, and blocks no start", async () => {
    const probe = scriptedProbe(seenAs(cardFor("GPU-1")));
    const watch = site.open([probe]);
    blocked(watch);
    await pass(0);
    probe.shows = "hangs";
    await pass(60_000);
    expect(probe.looks).toBe(2);
    expect(watch.readings()).toMatchObject([{ id: "GPU-1", stale: true, memory_used_bytes: IDLE }]);
    expect(watch.readings()[0]?.age_ms).toBeGreaterThan(50_000);
    expect(blocked(watch)).toEqual({ "GPU-1": null });
    expect(states(watch)).toEqual(["GPU-1 ok"]);
    expect(site.said).toEqual(["nvidia cards cannot be looked at: it has not answered for 30s"]);
  });

  test("finds a driver that comes later, when asked to", async () => {
    const probes: ScriptedProbe[] = [];
    const watch = site.open(probes);
    blocked(watch);
    probes.push(scriptedProbe(seenAs(cardFor("GPU-1"))));
    watch.onChange(() => void blocked(watch));
    watch.seek();
    await pass(0);
    expect(states(watch)).toEqual(["GPU-1 ok"]);
  });
});

describe("handing over", () => {
  test("a clean card costs one look; nothing is started before it", async () => {
    const probe = scriptedProbe(seenAs(cardFor("GPU-1"), cardFor("GPU-2")));
    const watch = site.open([probe]);
    blocked(watch);
    await pass(0);
    blocked(watch, [taskOn("GPU-1")]);
    const before = probe.looks;
    expect(blocked(watch)).toEqual({ "GPU-1": "is checked before it is used again after 12", "GPU-2": null });
    await pass(0);
    expect(probe.looks).toBe(before + 1);
    expect(blocked(watch)).toEqual({ "GPU-1": null, "GPU-2": null });
  });

  test("what the task left is killed, and the card is free when it has gone", async () => {
    const task = taskOn("GPU-1");
    const child = Bun.spawn(["/bin/sleep", "60"], { stdin: "ignore", env: { ORCH_TASK: shortId(task.uid) } });
    const used = { memory_used_bytes: 4 * GIB, processes: [{ pid: child.pid, memory_bytes: 3.5 * GIB }] };
    const probe = scriptedProbe(seenAs(cardFor("GPU-1")));
    const watch = site.open([probe]);
    blocked(watch);
    await pass(0);
    probe.shows = seenAs(cardFor("GPU-1", used));
    blocked(watch, [task]);
    await pass(6_000);
    expect(watch.readings()).toMatchObject([{ processes: [{ pid: child.pid, command: "sleep", task_uid: task.uid }] }]);
    expect(child.exitCode).toBeNull();
    blocked(watch);
    await pass(0);
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    expect(site.said).toEqual([`killed sleep (pid ${child.pid}), which 12 has left on GPU-1`]);
    await pass(6_000);
    expect(watch.devices()[0]).toMatchObject({
      state: "dirty",
      reason: `after 12: ${accountOfProcess().name}: sleep (pid ${child.pid}) of 12 is still on it`,
    });
    probe.shows = seenAs(cardFor("GPU-1"));
    await pass(1_000);
    expect(states(watch)).toEqual(["GPU-1 ok"]);
    expect(blocked(watch)).toEqual({ "GPU-1": null });
  });

  test("a card that cannot be looked at is not handed over, and others go on", async () => {
    const probe = scriptedProbe(seenAs(cardFor("GPU-1"), cardFor("GPU-2")));
    const watch = site.open([probe]);
    blocked(watch);
    await pass(0);
    blocked(watch, [taskOn("GPU-1")]);
    probe.shows = { is: "failed", why: "NVML did not answer" };
    blocked(watch);
    await pass(6_000);
    expect(watch.devices()[0]).toMatchObject({
      state: "dirty",
      reason: "after 12: it cannot be looked at: NVML did not answer",
    });
    expect(blocked(watch)["GPU-2"]).toBeNull();
  });
});

test("an agent that has only some cards gives away no others, and keeps its tasks from them", async () => {
  const all = [cardFor("GPU-1"), cardFor("GPU-2", { files: ["/dev/two"] }), cardFor("MIG-1", { parent: "GPU-2" })];
  const probe = scriptedProbe(seenAs(...all));
  const open = async (only: readonly string[]): Promise<string[]> => {
    const watch = site.open([probe], [], only);
    blocked(watch);
    await pass(0);
    expect(
      watch
        .handles()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(["GPU-1", "GPU-2", "MIG-1"]);
    const ids = watch.devices().map(({ id }) => id);
    expect(Object.keys(blocked(watch))).toEqual(ids);
    await site.written((text) => ids.every((id) => text.includes(id)));
    watch.close();
    return ids;
  };
  expect(await open([])).toEqual(["GPU-1", "GPU-2", "MIG-1"]);
  expect(await open(["GPU-1"])).toEqual(["GPU-1"]);
  expect(await open(["GPU-2"])).toEqual(["GPU-2", "MIG-1"]);
});

test("a task that has a part of a card is no stranger on the card", async () => {
  const task = taskOn("MIG-1");
  const child = Bun.spawn(["/bin/sleep", "60"], { stdin: "ignore", env: { ORCH_TASK: shortId(task.uid) } });
  const processes = [{ pid: child.pid, memory_bytes: 4 * GIB }];
  const whole = cardFor("GPU-1", { split: true });
  const part = cardFor("MIG-1", { parent: "GPU-1", visible: "MIG-1", memory_used_bytes: 0 });
  const probe = scriptedProbe(seenAs(whole, part));
  const watch = site.open([probe]);
  blocked(watch);
  await pass(0);
  blocked(watch, [task]);
  const used = { processes, memory_used_bytes: IDLE + 4 * GIB };
  probe.shows = seenAs({ ...whole, ...used }, { ...part, processes, memory_used_bytes: 4 * GIB });
  await pass(5_000);
  expect(watch.devices().map(({ foreign_bytes }) => foreign_bytes)).toEqual([0, 0]);
  child.kill("SIGKILL");
});

describe("over a restart of the agent", () => {
  const known = async (tasks: readonly CardTask[]): Promise<void> => {
    const watch = site.open([scriptedProbe(seenAs(cardFor("GPU-1"), cardFor("GPU-2")))]);
    blocked(watch);
    await pass(0);
    blocked(watch, tasks);
    await pass(50);
    await site.written((text) => text.split('"started_ms"').length - 1 === tasks.length);
    watch.close();
  };

  test("cards are known without a look, kept by who holds them, and checked before their next use", async () => {
    const task = taskOn("GPU-1");
    await known([task]);
    const next = site.open([scriptedProbe({ is: "failed", why: "the driver is not ready" })]);
    expect(states(next)).toEqual(["GPU-1 ok", "GPU-2 ok"]);
    expect(blocked(next, [task])).toEqual({
      "GPU-1": "is checked before its first use",
      "GPU-2": "is checked before its first use",
    });
    await pass(6_000);
    expect(states(next)).toEqual(["GPU-1 dirty", "GPU-2 dirty"]);
    expect(next.devices()[1]?.reason).toBe("it cannot be looked at: the driver is not ready");
  });

  test("what a task of before has left is known for what it is, and killed; what lives is not", async () => {
    const [gone, lives] = [taskOn("GPU-1", null, { name: "12" }), taskOn("GPU-2", null, { name: "13" })];
    await known([gone, lives]);
    const [left, own] = [gone, lives].map(({ uid }) =>
      Bun.spawn(["/bin/sleep", "60"], { stdin: "ignore", env: { ORCH_TASK: shortId(uid) } }),
    );
    const on = (pid = 0) => ({ memory_used_bytes: IDLE + GIB, processes: [{ pid, memory_bytes: GIB }] });
    const probe = scriptedProbe(seenAs(cardFor("GPU-1", on(left?.pid)), cardFor("GPU-2", on(own?.pid))));
    const next = site.open([probe]);
    expect(blocked(next, [lives])["GPU-1"]).toBe("is checked before it is used again after 12");
    await pass(0);
    await left?.exited;
    expect(left?.signalCode).toBe("SIGKILL");
    await pass(10_000);
    expect(own?.exitCode).toBeNull();
    own?.kill("SIGKILL");
  });

  test("a card that is gone is missing while the others go on, and comes back", async () => {
    await known([]);
    const probe = scriptedProbe(seenAs(cardFor("GPU-2")));
    const next = site.open([probe]);
    blocked(next);
    await pass(0);
    expect(states(next)).toEqual(["GPU-1 missing", "GPU-2 ok"]);
    expect(next.devices()[0]?.reason).toBe("its driver does not list it any more");
    expect(blocked(next)["GPU-2"]).toBeNull();
    probe.shows = seenAs(cardFor("GPU-1"), cardFor("GPU-2"));
    await pass(5_000);
    expect(states(next)).toEqual(["GPU-1 ok", "GPU-2 ok"]);
  });

  test("all are missing where the driver does not come, without a warning a second", async () => {
    await known([]);
    const next = site.open([]);
    blocked(next);
    await pass(30_000);
    next.seek();
    expect(states(next)).toEqual(["GPU-1 dirty", "GPU-2 dirty"]);
    expect(next.devices()[0]?.reason).toBe("it cannot be looked at: there is no driver for nvidia cards");
    await pass(30_000);
    for (let n = 0; n < 9; n++) next.seek();
    expect(states(next)).toEqual(["GPU-1 missing", "GPU-2 missing"]);
    expect(site.said).toHaveLength(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  for (const [what, text] of [
    ["cut off", '{ "boot_id": "x", "cards": [ {'],
    ["of another kind", '{ "boot_id": "x", "cards": [ { "facts": {} } ] }'],
  ] as const) {
    test(`a memory that is ${what} is set aside, and the cards are found again`, async () => {
      writeFileSync(join(site.data, "devices.json"), text);
      const next = site.open([scriptedProbe(seenAs(cardFor("GPU-1")))]);
      expect(site.said.join()).toContain("unreadable, and set aside");
      expect(readFileSync(join(site.data, "devices.json.bad"), "utf8")).toBe(text);
      blocked(next);
      await pass(0);
      expect(states(next)).toEqual(["GPU-1 ok"]);
    });
  }
});
