// A keeper is killed right before and right after each write and each sync of a batch's claim and journal. Whatever it
// leaves, no element that began counts as unbegun, and an end that is told is the true one.

import { describe, expect, test } from "bun:test";
import { endWithoutResult } from "../../../src/core/agent/ending";
import { indicesOf, partsOf } from "../../../src/core/model/array";
import { ELEMENTS } from "../../../src/agent/tasks/element-journal";
import { FILES } from "../../../src/agent/tasks/taskdir";
import { batchOf, openKeeper } from "../../support/batches";
import { scratchDir } from "../../support/scratch";
import { noTampering } from "../../support/tampered";
import { makeSite, type Site } from "../../support/tasks";
import { runTampered, toldOf, untruths, type TracedBatch, type Trouble } from "../../support/traced-batch";

const DIED = endWithoutResult("unknown", "result_unknown", "its keeper died", 1);
const REBOOTED = endWithoutResult("gone", "node_rebooted", "the machine was restarted", 1);
const WHENS = ["before", "after"] as const;

const lacks = noTampering();
const BOTH = [FILES.claim, ELEMENTS] as const;
/** More calls than there are. */
const MANY = 1_000;
/** The syncs of a keeper: of the claim, of the new journal, of what more may begin, and of the journal's end. */
const SYNCS = [
  { call: "fdatasync", at: 1, files: [FILES.claim] },
  { call: "fdatasync", at: 1, files: [ELEMENTS] },
  { call: "fdatasync", at: 1, elements: 66, from: 30 },
  { call: "fdatasync", at: 1, from: 2 },
] as const;

async function inSite(work: (site: Site, scratch: string) => Promise<void>): Promise<void> {
  const site = await makeSite();
  try {
    await work(site, scratchDir("killed"));
    // It removes what keepers that were killed have left.
    const last = await openKeeper(site);
    last.close();
    await last.exited;
  } finally {
    expect(await site.close()).toEqual([]);
  }
}

const kill = (trouble: Pick<Trouble, "call" | "at"> & Partial<Trouble>, when: "before" | "after"): Trouble => ({
  files: BOTH,
  elements: 3,
  from: null,
  what: { is: "killed", when },
  ...trouble,
});

/** Has what goes back of a batch run by another keeper. Returns which elements then have not run as they should. */
async function wrongInAll(site: Site, batch: TracedBatch): Promise<number[]> {
  const told = new Map(toldOf(batch, DIED).map(([index, how]) => [index, how]));
  const all = [...indicesOf(batch.order.batch.parts)];
  const rest = all.filter((index) => !told.has(index));
  if (rest.length > 0) {
    const keeper = await openKeeper(site);
    const order = batchOf(batch.order.argv[2] ?? "", { parts: partsOf(rest) });
    keeper.start(order);
    await keeper.end(order);
    keeper.close();
    await keeper.exited;
  }
  const times = (index: number): number => batch.ran().filter((one) => one === index).length;
  // Nobody knows of one whose end is unknown whether it came to execute.
  return all.filter((index) => times(index) !== 1 && !(told.get(index) === "unknown" && times(index) === 0));
}

async function expectTruth(site: Site, scratch: string, trouble: Trouble, over: TracedBatch["over"]): Promise<number> {
  const batch = await runTampered(site, scratch, trouble);
  const { call, at, what } = trouble;
  const wrong = [...untruths(batch, DIED), ...untruths(batch, REBOOTED)];
  expect({ call, at, what, over: batch.over, wrong }).toEqual({ call, at, what, over, wrong: [] });
  expect([at, await wrongInAll(site, batch)]).toEqual([at, []]);
  return batch.calls;
}

describe.skipIf(lacks !== null)(`a keeper that is killed${lacks === null ? "" : ` (skipped: ${lacks})`}`, () => {
  test.each(WHENS)(
    "right %s any write tells nothing false",
    async (when) => {
      await inSite(async (site, scratch) => {
        const untouched = kill({ call: "write", at: MANY }, when);
        const writes = await expectTruth(site, scratch, untouched, "ended");
        // The claim, what may begin, a beginning and an end of each element, and the exit.
        expect(writes).toBe(9);
        for (let at = 1; at <= writes; at++)
          await expectTruth(site, scratch, kill({ call: "write", at }, when), "killed");
      });
    },
    60_000,
  );

  test.each(WHENS)(
    "right %s any sync tells nothing false",
    async (when) => {
      await inSite(async (site, scratch) => {
        for (const trouble of SYNCS) await expectTruth(site, scratch, kill(trouble, when), "killed");
      });
    },
    60_000,
  );
});
