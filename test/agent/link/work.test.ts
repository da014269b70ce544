// What an agent answers to changes, and how it reports: where further changes wait for these, it says at once that they
// are applied; of reports a bounded part is on its way, and the rest waits as the newest state of each task.

import { expect, test } from "bun:test";
import type { ServerLink } from "../../../src/agent/link/link";
import { report, WORK } from "../../../src/agent/link/work";
import type { Fence } from "../../../src/core/agent/fence";
import type { Reported } from "../../../src/core/model/record";
import { waitUntil } from "../../support/wait";
import type { ToServer } from "../../../src/wire/agent";

const STAMP = { cluster_id: "c", timeline: "t", epoch: 1, session: 1, revision: 1, signature: "" };

/** What an agent says after it has applied a message of changes. */
async function answerTo(more: boolean): Promise<ToServer[]> {
  const said: ToServer[] = [];
  let fence = { ...STAMP, applied_n: 0 } as unknown as Fence;
  const link = {
    phase: "live",
    reports: { seq: 0 },
    skew: { get: () => null },
    told: { machine: "{}", finding_n: 0, leave: null },
    options: {
      clock: () => 1,
      wall: () => 1,
      machine: () => ({}),
      readings: () => [],
      health: { notices: () => [] },
      leaving: () => null,
      fence: { get: () => fence, set: (next: Fence) => Promise.resolve(void (fence = next)) },
      loop: { take: (now: Fence) => Promise.resolve({ ...now, applied_n: 1 }) },
    },
    send: (message: ToServer) => void said.push(message),
  } as unknown as ServerLink;
  await WORK.changes(link, { type: "changes", stamp: STAMP, n: 1, changes: [], more });
  return said;
}

test("a part of what there is to tell is answered once it is applied", async () => {
  expect(await answerTo(true)).toMatchObject([{ type: "heartbeat", applied_n: 1 }]);
});

test("what nothing waits for is told as applied with the next heartbeat", async () => {
  expect(await answerTo(false)).toEqual([]);
});

type Report = Extract<ToServer, { type: "report" }>;

const BARE = { name: "t", identity: null, grant_until: 1, held: null, exclusive: false, unix_user: null };
const uidOf = (n: number): string => n.toString(16).padStart(32, "0");

test("of many reports few are on their way, the rest waits and is merged, and none is lost", async () => {
  const said: Report[] = [];
  const link = {
    phase: "live",
    silent_ms: 0,
    reports: { seq: 0, unacked: [], waiting: new Map(), flushing: false },
    options: { clock: () => 1, loop: { acknowledged: () => Promise.resolve() } },
    send: (message: ToServer) => void (message.type === "report" && said.push(message)),
  } as unknown as ServerLink;
  const COUNT = 2_000;
  const tell = (state: "starting" | "running"): void => {
    const reported: Reported = state === "starting" ? { state } : { state, pid: 7, started_age_ms: 1 };
    report(
      link,
      Array.from({ length: COUNT }, (_, n) => ({ ...BARE, uid: uidOf(n), reported })),
    );
  };
  tell("starting");
  await waitUntil("the first reports", () => said.length > 0);
  const first = said.length;
  expect(first).toBeLessThan(COUNT / 200);
  tell("running");
  for (let n = 0; n < said.length; n++) {
    expect(said.length - n).toBeLessThanOrEqual(first);
    await WORK.ack(link, { type: "ack", stamp: STAMP, seq: said[n]?.seq ?? 0 });
  }
  await waitUntil("the last report", () => link.reports.unacked.length === 0 && link.reports.waiting.size === 0);
  const states = new Map(said.flatMap(({ entries }) => entries.map(({ uid, reported }) => [uid, reported.state])));
  expect(states.size).toBe(COUNT);
  expect(new Set(states.values())).toEqual(new Set(["running"]));
  expect(said.flatMap(({ entries }) => entries).length).toBeLessThan(2 * COUNT);
});

test("what the server has of a batch is noted with each acknowledgement, and before its end is", async () => {
  const noted: unknown[] = [];
  const link = {
    phase: "live",
    reports: { seq: 0, unacked: [], waiting: new Map(), flushing: false },
    options: {
      clock: () => 1,
      loop: {
        hasResults: (counts: ReadonlyMap<string, number>) => void noted.push([...counts]),
        acknowledged: (uids: readonly string[]) => Promise.resolve(void noted.push(uids)),
      },
    },
    send: () => undefined,
  } as unknown as ServerLink;
  const results = { from: 3, results: [[7, 0, 1] as const, [9, 1, 1] as const], places: 1, only: null };
  const entry = { ...BARE, reported: { state: "running", pid: 0, started_age_ms: 1 } as const };
  report(link, [
    { ...entry, uid: uidOf(1), results },
    { ...entry, uid: uidOf(2) },
  ]);
  await waitUntil("the report", () => link.reports.unacked.length === 1);
  await WORK.ack(link, { type: "ack", stamp: STAMP, seq: 1 });
  expect(noted).toEqual([[[uidOf(1), 5]], []]);
});
