// What an inventory that does not name a task proves of it.

import { describe, expect, test } from "bun:test";
import { proofOfAbsence } from "../../../src/core/intake/absent";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { Inventory } from "../../../src/core/model/record";
import { BOOT, buildNode, buildTask, buildWorkload, uidOf } from "../../support/build";

const TIMELINE = uidOf("timeline");
const UNREADABLE = [{ uid: uidOf("stray"), name: "x.y.0#2", pid: 7, held: null }];

const told = (part: Partial<TaskRow> = {}, kind: "service" | "job" = "service"): TaskRow =>
  buildTask(buildWorkload("shop", "web", "spec", { kind }), buildNode("box").id, {
    observed: { state: "assigned" },
    assigned_revision: 20,
    ...part,
  });
const inventory = (part: Partial<Inventory>): Inventory => ({
  boot_id: BOOT,
  entries: [],
  unreadable: [],
  applied: { timeline: TIMELINE, revision: 30, since: 3 },
  ...part,
});
const before = { timeline: TIMELINE, revision: 10, since: 3 };

/** Whatever such a disk has applied since, it was not there when the task was assigned. */
const newer = { timeline: TIMELINE, revision: 30, since: 20 };

const cases: readonly (readonly [string, string, Partial<Inventory>, TaskRow?])[] = [
  ["was told, and is not there", "unknown", {}],
  ["was told before a reboot, and is not there", "unknown", { boot_id: "2" }, told({}, "job")],
  ["was given up before it was told", "lost", {}, told({ written_off: { at_ms: 1, why: "silent" } })],
  ["was told, while a record cannot be read", "ask", { unreadable: UNREADABLE }],
  // It may have begun, and what cannot be read may be what its agent made of it since.
  ["was told before a reboot, while a record cannot be read", "ask", { boot_id: "2", unreadable: UNREADABLE }],
  ["was not told yet", "wait", { applied: before }],
  ["was not told yet, while a record cannot be read", "wait", { applied: before, unreadable: UNREADABLE }],
  ["was not told before a reboot", "lost", { applied: before, boot_id: "2" }],
  ["is a job and was not told before a reboot", "lost", { applied: before, boot_id: "2" }, told({}, "job")],
  [
    "was not told before a reboot, while a record cannot be read",
    "ask",
    { applied: before, boot_id: "2", unreadable: UNREADABLE },
  ],
  [
    "is a job and was assigned before the disk was new and a reboot",
    "unknown",
    { applied: newer, boot_id: "2" },
    told({}, "job"),
  ],
  ["may have been on a disk that is lost", "unknown", { applied: null }],
  ["was assigned before the disk was new", "unknown", { applied: newer }],
  ["ran as a service before the disk was new and a reboot", "lost", { applied: newer, boot_id: "2" }],
  ["ran before a reboot", "lost", { boot_id: "2", applied: null }, told({ observed: { state: "starting" } })],
];

describe("a task that", () => {
  for (const [what, is, part, task = told()] of cases) {
    test(`${what}: ${is}`, () =>
      expect(proofOfAbsence(task, { rebound: null }, inventory(part), TIMELINE).is).toBe(is as "lost"));
  }
});

describe("a reboot that a new key reports", () => {
  const service = told({ observed: { state: "starting" } });
  const provenBy = (revision: number, boot_id: string): string =>
    proofOfAbsence(service, { rebound: { revision, boot_id } }, inventory({ boot_id: "3", applied: null }), TIMELINE)
      .is;

  test("proves nothing of what was assigned to the key before, since it has seen no other boot", () => {
    expect(provenBy(25, "3")).toBe("unknown");
  });
  test("proves the end of what runs since another boot that the key has seen itself", () => {
    expect(provenBy(25, "2")).toBe("lost");
  });
  test("proves the end of what was assigned to it", () => {
    expect(provenBy(19, "3")).toBe("lost");
  });
});
