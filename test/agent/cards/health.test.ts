// What is found wrong with a card and what is done about it: the kernel's words and the looks, over a scripted probe.

import { afterAll, afterEach, beforeEach, describe, expect, test, jest } from "bun:test";
import type { CardWatch } from "../../../src/agent/cards/watch";
import { cardFor, scriptedProbe, seenAs, type ScriptedProbe } from "../../support/cards";
import { blocked, makeWatchRoot, makeWatchSite, pass, states, taskOn, type WatchSite } from "../../support/watched";

const { root, remove } = makeWatchRoot();
afterAll(remove);
let site: WatchSite;
let probe: ScriptedProbe;
let watch: CardWatch;
const both = [cardFor("GPU-1"), cardFor("GPU-2", { index: 1, pci: "0000:66:00.0" })] as const;

beforeEach(async () => {
  site = makeWatchSite(root);
  probe = scriptedProbe(seenAs(...both));
  watch = site.open([probe]);
  blocked(watch);
  await pass(0);
});
afterEach(() => site.close());

const xid = (code: number, pci = "0000:65:00", rest = "pid='<unknown>', name=<unknown>, x"): void =>
  site.logs(`NVRM: Xid (PCI:${pci}): ${code}, ${rest}`);
const told = (): string[] => watch.notices().map(({ class: kind, object, text }) => `${kind}: ${object}: ${text}`);

describe("the kernel's word", () => {
  test("keeps one card out of use, ends what runs on it, and leaves the others alone", async () => {
    const [one, two] = [taskOn("GPU-1"), taskOn("GPU-2")];
    blocked(watch, [one, two]);
    let changes = 0;
    watch.onChange(() => changes++);
    xid(79);
    await pass(1_000);
    expect(changes).toBeGreaterThan(0);
    expect(states(watch)).toEqual(["GPU-1 quarantined", "GPU-2 ok"]);
    expect([...watch.verdicts()]).toEqual([[one.uid, "lost its GPU: XID 79, fallen off the bus"]]);
    expect(blocked(watch, [two])).toEqual({
      "GPU-1": "is quarantined: XID 79, fallen off the bus",
      "GPU-2": null,
    });
    expect(told()).toEqual(["quarantine: GPU-1: XID 79, fallen off the bus"]);
    // The task is over.
    expect(watch.verdicts().size).toBe(0);
  });

  test("is heard at once when the loop asks who is to blame, and blames no other", () => {
    const task = taskOn("GPU-1");
    blocked(watch, [task, taskOn("GPU-2")]);
    xid(31, "0000:65:00", "pid=4711, name=python, MMU Fault");
    expect([...watch.blames()]).toMatchObject([[task.uid, { why: "XID 31: the task's own memory fault" }]]);
    expect(states(watch)).toEqual(["GPU-1 ok", "GPU-2 ok"]);
    expect(told()).toEqual([]);
  });

  test("is only told when it is to be watched, once for many of a kind", async () => {
    for (let n = 0; n < 50; n++) xid(63);
    xid(63, "0000:66:00");
    await pass(1_000);
    const means = "XID 63, bad memory was put out of use, or will be at the next reset";
    expect(told()).toEqual([`watch: GPU-1: ${means}`, `watch: GPU-2: ${means}`]);
    expect(states(watch)).toEqual(["GPU-1 ok", "GPU-2 ok"]);
  });

  test("is told until it is heard, and blame without a task is told as well", async () => {
    xid(13);
    await pass(1_000);
    const [first] = watch.notices();
    expect(first).toMatchObject({ object: "GPU-1", text: expect.stringMatching(/^XID 13/) as string });
    watch.noted((first?.n ?? 0) - 1);
    expect(watch.notices()).toHaveLength(1);
    watch.noted(first?.n ?? 0);
    expect(watch.notices()).toEqual([]);
  });

  test("counts as operators want, also after a restart", async () => {
    watch.override({ "xid 79": "watch", "xid 63": "stop" });
    const task = taskOn("GPU-2");
    blocked(watch, [task]);
    xid(79);
    xid(63, "0000:66:00");
    await pass(1_000);
    expect(states(watch)).toEqual(["GPU-1 ok", "GPU-2 quarantined"]);
    expect([...watch.verdicts().keys()]).toEqual([task.uid]);
    await site.written((text) => text.includes('"xid 79":"watch"'));
    watch.close();
    xid(79);
    const next = site.open([probe]);
    blocked(next);
    await pass(1_000);
    expect(states(next)).toEqual(["GPU-1 ok", "GPU-2 quarantined"]);
  });

  test("of a card that is not here is told, and does nothing", async () => {
    xid(79, "0000:99:00");
    await pass(1_000);
    expect(states(watch)).toEqual(["GPU-1 ok", "GPU-2 ok"]);
    expect(told()).toEqual(["quarantine: 0000:99:00: XID 79, fallen off the bus"]);
  });
});

describe("over a restart", () => {
  const restart = async (what: (text: string) => boolean): Promise<void> => {
    await site.written(what);
    watch.close();
    watch = site.open([probe]);
  };

  test("what was logged meanwhile is heard, and nothing twice; a quarantine stays with its age", async () => {
    xid(48, "0000:66:00");
    await pass(1_000);
    const before = watch.devices()[1];
    await restart((text) => text.includes("XID 48"));
    xid(74);
    blocked(watch);
    await pass(1_000);
    expect(states(watch)).toEqual(["GPU-1 quarantined", "GPU-2 quarantined"]);
    expect(watch.devices()[1]).toEqual(before!);
    expect(told()).toEqual(["quarantine: GPU-1: XID 74, an error on its links to other cards (NVLink)"]);
  });

  test("a quarantine from a time that the clock has not reached is lifted by a test like any other", async () => {
    xid(48);
    await pass(1_000);
    await restart((text) => text.includes("XID 48"));
    watch.close();
    jest.setSystemTime(Date.now() - 3_600_000);
    watch = site.open([probe]);
    blocked(watch);
    await pass(1_000);
    expect(states(watch)).toEqual(["GPU-1 quarantined", "GPU-2 ok"]);
    const done = watch.retest();
    await pass(100);
    expect((await done).map(({ id, is }) => `${id} ${is}`)).toEqual(["GPU-1 passed", "GPU-2 passed"]);
  });

  test("an agent that never looked hears of lasting damage only", async () => {
    site.close();
    site = makeWatchSite(root);
    for (const code of [31, 63, 79]) xid(code);
    watch = site.open([probe]);
    const task = taskOn("GPU-1");
    blocked(watch, [task]);
    await pass(2_000);
    expect(states(watch)).toEqual(["GPU-1 quarantined", "GPU-2 ok"]);
    expect(watch.blames().size).toBe(0);
    expect(told()).toEqual(["quarantine: GPU-1: XID 79, fallen off the bus"]);
  });
});

describe("a look", () => {
  test("at a card that the library gives up keeps it out of use, and ends what runs on it", async () => {
    const task = taskOn("GPU-1");
    blocked(watch, [task]);
    probe.shows = seenAs(
      { ...both[0], trouble: { is: "bus_lost", why: "it has fallen off the bus" }, memory_used_bytes: null },
      both[1],
    );
    await pass(5_000);
    expect(states(watch)).toEqual(["GPU-1 quarantined", "GPU-2 ok"]);
    expect([...watch.verdicts().values()]).toEqual(["lost its GPU: bus lost, fallen off the bus"]);
    // While one is lost, the driver may count the others otherwise.
    expect(watch.handles().map(({ counted }) => counted)).toEqual([false, false]);
  });

  test("that finds lasting damage of memory is a quarantine, which no test lifts while it is so", async () => {
    probe.shows = seenAs({ ...both[0], warnings: ["remap_failed"] }, both[1]);
    await pass(5_000);
    expect(states(watch)).toEqual(["GPU-1 quarantined", "GPU-2 ok"]);
    const first = watch.retest();
    await pass(100);
    expect(await first).toMatchObject([
      { is: "failed", detail: expect.stringContaining("ecc remap failed") },
      { is: "passed" },
    ]);
    probe.shows = seenAs(...both);
    const second = watch.retest();
    await pass(100);
    expect(await second).toMatchObject([
      { id: "GPU-1", is: "passed" },
      { id: "GPU-2", is: "passed" },
    ]);
    expect(states(watch)).toEqual(["GPU-1 ok", "GPU-2 ok"]);
  });

  test("that fails for a while is told of the vendor, once", async () => {
    probe.shows = { is: "failed", why: "NVML: no answer" };
    await pass(50_000);
    expect(told()).toEqual([]);
    await pass(150_000);
    expect(told()).toEqual(["watch: nvidia: probe hung, its driver's library does not answer"]);
  });

  test("at a card that is set up in parts and has none finds it of no use, until it has", async () => {
    probe.shows = seenAs({ ...both[0], split: true }, both[1]);
    await pass(5_000);
    expect(watch.devices()[0]).toMatchObject({
      state: "quarantined",
      reason: "it is set to be used in parts (MIG), and has none",
    });
    probe.shows = seenAs({ ...both[0], split: true }, cardFor("MIG-1", { parent: "GPU-1", visible: "MIG-1" }), both[1]);
    await pass(5_000);
    expect(states(watch)).toEqual(["GPU-1 ok", "MIG-1 ok", "GPU-2 ok"]);
  });
});

describe("a test that was ordered", () => {
  async function retest() {
    const done = watch.retest();
    await pass(100);
    return (await done).map(({ id, is, detail }) => `${id} ${is}: ${detail}`);
  }

  test("lifts the quarantine of a card that answers and is clean", async () => {
    const double = "XID 48, an error in its memory that could not be corrected";
    xid(48);
    await pass(1_000);
    expect(await retest()).toEqual([
      `GPU-1 passed: it answers and is clean, and is out of quarantine (${double})`,
      "GPU-2 passed: it answers and is clean",
    ]);
    expect(blocked(watch)).toEqual({ "GPU-1": null, "GPU-2": null });
  });

  test("fails on a new finding", async () => {
    xid(48);
    await pass(1_000);
    const done = watch.retest();
    xid(79, "0000:66:00");
    await pass(100);
    expect((await done).map(({ id, is }) => `${id} ${is}`)).toEqual(["GPU-1 passed", "GPU-2 failed"]);
  });

  test("fails on a new finding of a card that had one before", async () => {
    xid(48);
    await pass(1_000);
    const done = watch.retest();
    xid(95);
    await pass(100);
    expect((await done)[0]).toMatchObject({ id: "GPU-1", is: "failed" });
    expect(states(watch)[0]).toBe("GPU-1 quarantined");
    expect((await retest())[0]).toContain("GPU-1 passed");
  });

  test("forgets a card that is gone, and fails where none can be looked at", async () => {
    probe.shows = seenAs(both[1]);
    await pass(5_000);
    expect(states(watch)).toEqual(["GPU-1 missing", "GPU-2 ok"]);
    expect((await retest())[0]).toBe("GPU-1 forgotten: it is gone: its driver does not list it any more");
    expect(states(watch)).toEqual(["GPU-2 ok"]);
    probe.shows = { is: "failed", why: "NVML: no answer" };
    expect(await retest()).toEqual(["GPU-2 failed: it cannot be looked at: NVML: no answer"]);
  });

  test("believes what an idle card uses now, unless it is more than any driver's", async () => {
    const used = (mib: number) => seenAs({ ...both[0], memory_used_bytes: mib * 2 ** 20 }, both[1]);
    blocked(watch, [taskOn("GPU-1")]);
    probe.shows = used(1_000);
    blocked(watch);
    await pass(10_000);
    expect(states(watch)[0]).toBe("GPU-1 dirty");
    expect((await retest())[0]).toContain("GPU-1 passed");
    blocked(watch, [taskOn("GPU-1")]);
    probe.shows = used(9_000);
    blocked(watch);
    await pass(10_000);
    expect((await retest())[0]).toContain("GPU-1 failed: 7.8 GB more than on an idle card are in use");
  });
});
