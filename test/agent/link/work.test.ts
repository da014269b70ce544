// What an agent answers to changes: where further ones wait for these, it says at once that they are applied.

import { expect, test } from "bun:test";
import type { ServerLink } from "../../../src/agent/link/link";
import { WORK } from "../../../src/agent/link/work";
import type { Fence } from "../../../src/core/agent/fence";
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
