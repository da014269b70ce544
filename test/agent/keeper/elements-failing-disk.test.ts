// Each write and each sync of a batch's claim and journal fails for a while: nothing waits for ever, and once the disk
// takes lines again every element that began has its end, and no other one.

import { describe, expect, test } from "bun:test";
import { ELEMENTS } from "../../../src/agent/tasks/element-journal";
import { FILES, readAttempt } from "../../../src/agent/tasks/taskdir";
import { endOfExit, endWithoutResult } from "../../../src/core/agent/ending";
import type { ElementResult } from "../../../src/core/model/array";
import { batchFor } from "../../support/batch-keeper";
import { scratchDir } from "../../support/scratch";
import { noTampering, type Tampering } from "../../support/tampered";
import { makeSite, recordFor } from "../../support/tasks";
import { runTampered, toldOf, untruths, type Trouble } from "../../support/traced-batch";

const ERRORS = [
  { is: "failed", error: "ENOSPC", more: 1 },
  { is: "failed", error: "EIO", more: 0 },
] as const satisfies readonly Tampering[];
const BOTH = [FILES.claim, ELEMENTS] as const;
const WRITES = 9;

const REBOOTED = endWithoutResult("gone", "node_rebooted", "the machine was restarted", 1);
/** Nobody has asked a batch to stop. */
const UNASKED = { asked: null, begun_ms: 0 } as const;

const lacks = noTampering();

/** Returns what is wrong with the results of elements that have all ended. */
const unended = (results: readonly ElementResult[], ran: number): string[] => [
  ...results.filter(([, how]) => typeof how !== "number").map(([index, how]) => `${index} is ${how}`),
  ...(results.length === ran ? [] : [`${results.length} results of ${ran} elements`]),
];

/** Returns what is wrong with a batch whose keeper met a trouble, and lives on. */
async function wrongs(trouble: Trouble): Promise<string[]> {
  const site = await makeSite();
  const batch = await runTampered(site, scratchDir("failing"), trouble);
  const ran = batch.ran();
  const { exit = null } = readAttempt(batch.dir) ?? {};
  const told = exit === null ? null : endOfExit(recordFor(batchFor(trouble.elements, 2)), exit, null, UNASKED);
  const found =
    told === null
      ? [...ran.map((index) => `${index} began, without an exit of its batch`), ...(batch.isClaimed ? ["claimed"] : [])]
      : [
          ...untruths(batch, told),
          // Also after a reboot nothing may have begun that has not.
          ...[told, REBOOTED].flatMap((end) => unended(toldOf(batch, end), ran.length)),
        ];
  const left = await site.close();
  return [...found, ...left, ...(batch.over === "killed" ? ["its keeper died"] : [])].map(
    (why) => `${trouble.call} ${trouble.at}: ${why}`,
  );
}

describe.skipIf(lacks !== null)(`a disk that fails${lacks === null ? "" : ` (skipped: ${lacks})`}`, () => {
  test.each(ERRORS)(
    "at any write with %o delays what is told, and makes nothing false",
    async (what) => {
      const at = Array.from({ length: WRITES }, (_, n) => n + 1);
      const troubles = at.map((n): Trouble => ({ call: "write", files: BOTH, at: n, what, elements: 3, from: null }));
      const found = await Promise.all(troubles.map(async (trouble) => wrongs(trouble)));
      expect(found.flat()).toEqual([]);
    },
    60_000,
  );

  test.each(ERRORS)(
    "at any sync with %o delays what is told, and makes nothing false",
    async (what) => {
      const sync = { call: "fdatasync", files: BOTH, at: 1, what, elements: 3, from: null } as const;
      const troubles: readonly Trouble[] = [
        { ...sync, files: [FILES.claim] },
        { ...sync, files: [ELEMENTS] },
        { ...sync, elements: 66, from: 30 },
        { ...sync, from: 2 },
      ];
      const found = await Promise.all(troubles.map(async (trouble) => wrongs(trouble)));
      expect(found.flat()).toEqual([]);
    },
    60_000,
  );
});
