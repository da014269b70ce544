// A batch whose keeper is tampered with: what its elements did themselves, held against what an agent says of them.

import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FromKeeper, OrderOfBatch } from "../../src/agent/keeper/messages";
import { ELEMENTS } from "../../src/agent/tasks/element-journal";
import { ElementReader, journalIn } from "../../src/agent/tasks/element-reader";
import { FILES, readAttempt } from "../../src/agent/tasks/taskdir";
import type { ElementResult } from "../../src/core/model/array";
import type { RecordEnd } from "../../src/core/model/end";
import { removeGroup } from "../../src/os/cgroup/group";
import { exists } from "../../src/os/files/files";
import { randomHex } from "../../src/os/dice";
import { batchOf, openKeeper, type OwnKeeper } from "./batches";
import { isAlive, processesOf } from "./processes";
import { tamper, type TamperedCall, type Tampering } from "./tampered";
import type { Site } from "./tasks";
import { waitUntil } from "./wait";

/** Which call of a keeper to a batch's files fails, or kills it. */
export interface Trouble {
  readonly call: TamperedCall;
  readonly files: readonly (typeof FILES.claim | typeof ELEMENTS)[];
  readonly at: number;
  readonly what: Tampering;
  /** How many elements the batch has. */
  readonly elements: number;
  /** The element during which the counting of calls begins. With null it begins before the batch does. */
  readonly from: number | null;
}

export interface TracedBatch {
  readonly order: OrderOfBatch;
  readonly dir: string;
  /** How the keeper left it: with its word that it ended, or that it did not begin; or by its own death. */
  readonly over: "ended" | "refused" | "killed";
  /** How many calls were counted. */
  readonly calls: number;
  /** What its elements have noted themselves: the number of each that began. */
  readonly ran: () => readonly number[];
  readonly isClaimed: boolean;
}

/**
 * Has a keeper of its own run a batch, whose element N notes itself in a file and exits with N, and tampers with the
 * keeper. Resolves when nothing of the two lives.
 */
export async function runTampered(site: Site, scratch: string, trouble: Trouble): Promise<TracedBatch> {
  const { call, files, at, what, elements, from } = trouble;
  const uid = randomHex(16);
  const [dir, noted, gate] = [join(site.data, "tasks", uid), join(scratch, uid), join(scratch, `${uid}.gate`)];
  const waits = from === null ? "" : `[ $ORCH_SLOT != ${from} ] || until [ -e ${gate} ]; do sleep 0.01; done`;
  const script = `echo $ORCH_SLOT >>${noted}\n${waits}\nexit $ORCH_SLOT`;
  const order = batchOf(script, { parts: [[0, elements - 1]], places: from === null ? 2 : 1 }, { uid });
  const keeper = await openKeeper(site);
  const tampered = () =>
    tamper(
      keeper.pid,
      files.map((name) => join(dir, name)),
      call,
      at,
      what,
    );
  const before = from === null ? await tampered() : null;
  keeper.start(order);
  if (from !== null) await waitUntil("the element to wait", () => numbersIn(noted).includes(from));
  const { end } = before ?? (await tampered());
  appendFileSync(gate, "");
  const over = await overOf(keeper, uid);
  const calls = await end();
  keeper.close();
  await keeper.exited;
  await waitUntil("its elements to end", () => processesOf(uid).length === 0);
  await waitUntil("its groups to go", () => removeGroup(readAttempt(dir)?.group ?? []));
  return { order, dir, over, calls, ran: () => numbersIn(noted), isClaimed: exists(join(dir, FILES.claim)) };
}

const numbersIn = (path: string): number[] =>
  exists(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1).map(Number) : [];

async function overOf(keeper: OwnKeeper, uid: string): Promise<TracedBatch["over"]> {
  const said = (is: FromKeeper["is"]): boolean =>
    keeper.heard.some((one) => one.is === is && "uid" in one && one.uid === uid);
  return waitUntil(
    "the batch to be over",
    () => (said("ended") ? "ended" : said("refused") ? "refused" : isAlive(keeper.pid) ? null : "killed"),
    20_000,
  );
}

/**
 * Returns what an agent tells that is not so of a batch that ended as `end`: of an element that began it must tell, and
 * an end only if it was that.
 */
export function untruths({ order, dir, ran: noted }: TracedBatch, end: RecordEnd): string[] {
  const ran = noted();
  const results = toldOf({ order, dir }, end);
  const indices = results.map(([index]) => index);
  return [
    ...ran.filter((index) => !indices.includes(index)).map((index) => `${index} began and counts as unbegun`),
    ...ran.filter((index, at) => ran.indexOf(index) !== at).map((index) => `${index} began twice`),
    ...indices.filter((index, at) => indices.indexOf(index) !== at).map((index) => `${index} is told twice`),
    ...results
      .filter(([index, how]) => typeof how === "number" && (how !== index || !ran.includes(index)))
      .map(([index, how]) => `${index} did not end with ${how}`),
    ...results.filter(([, how]) => !isHonest(how)).map(([index, how]) => `${index} did not end by ${how}`),
  ];
}

const isHonest = (how: ElementResult[1]): boolean => typeof how === "number" || how === "unknown" || how === "lost";

/** Returns what an agent tells of the elements of a batch that ended so. */
export const toldOf = ({ order, dir }: Pick<TracedBatch, "order" | "dir">, end: RecordEnd): readonly ElementResult[] =>
  new ElementReader(
    order.batch,
    journalIn(() => dir),
  ).resultsAtEnd(end, () => exists(join(dir, FILES.claim)));
