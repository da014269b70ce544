// The truth about the elements of arrays: which were executed where, as which attempt, and how that ended. It is
// checked whenever one begins.

import type { ElementEnd } from "../../src/core/model/array";
import type { Assignment } from "../../src/core/model/record";
import type { Machine, Process } from "./machine";
import { seeded } from "./random";
import { demand } from "./violation";

/** One execution of an element. */
export interface Execution {
  readonly run_uid: string;
  readonly index: number;
  readonly round: number;
  /** The batch. */
  readonly uid: string;
  readonly name: string;
  readonly machine: Machine;
  readonly started_ms: number;
  ended_ms: number | null;
  /** How its process has ended; `POWER` if with its machine. */
  end: ElementEnd | null;
}

/** What one attempt of an element does: it runs for a while, or for ever (null), and ignores signals or obeys. */
export interface ElementBehaviour {
  readonly runs_ms: number | null;
  readonly end: ElementEnd;
  readonly hangs: boolean;
}

/** Returns what an element does, from the `sim each LONGEST_MS` of its array. The same element does the same again. */
export function behaviourOfElement(
  { command, identity, time_limit_ms }: Assignment,
  index: number,
  round: number,
): ElementBehaviour {
  const longest_ms = command.kind === "argv" ? Number(command.argv[2] ?? 0) : 0;
  const random = seeded(`${identity.owner_uid}/${index}/${round}`);
  const endless = time_limit_ms !== null && random.chance(0.05);
  const end = random.chance(0.8) ? 0 : random.chance(0.8) ? random.int(1, 3) : "SEGV";
  return { runs_ms: endless ? null : random.int(0, longest_ms), end, hangs: random.chance(0.1) };
}

export interface ElementsWorld {
  readonly now: () => number;
  readonly note: (what: string) => void;
  /** Returns how many elements of a run may run at once; null for as many as there are. */
  readonly limitOf: (run_uid: string) => number | null;
  /** Returns how an element ended for good, as the server has it on record; null if it has no such end. */
  readonly recorded: (run_uid: string, index: number) => ElementEnd | null;
  /** Returns whether nobody counts on a batch any more: it was given up, it is over, or its node is beyond reach. */
  readonly isLeft: (uid: string) => boolean;
  /** Returns whether the present database has never heard of a batch, as after a restore, or a liar has told of it. */
  readonly isStrange: (uid: string) => boolean;
  /** Called when an element has begun. */
  readonly began: (machine: Machine) => void;
}

export interface Executions {
  elementBegan(machine: Machine, process: Process, index: number, round: number): Execution;
  elementEnded(execution: Execution, end: ElementEnd): void;
  /** Returns all executions of an element, oldest first. */
  of(run_uid: string, index: number): readonly Execution[];
  /** Returns whether anything of a batch was executed. */
  hasRun(uid: string): boolean;
}

export function watchElements(world: ElementsWorld): Executions {
  const byElement = new Map<string, Execution[]>();
  const running = new Map<string, Set<Execution>>();
  const batches = new Set<string>();
  const of = (run_uid: string, index: number): Execution[] => byElement.get(`${run_uid}/${index}`) ?? [];
  return {
    of,
    hasRun: (uid) => batches.has(uid),
    elementBegan: (machine, { uid, assignment }, index, round) => {
      const run_uid = assignment.identity.owner_uid;
      const { name } = assignment;
      const started_ms = world.now();
      const one: Execution = { run_uid, index, round, uid, name, machine, started_ms, ended_ms: null, end: null };
      world.note(`+ ${describe(one)}`);
      const before = of(run_uid, index);
      for (const other of before) checkPair(world, other, one);
      checkRecorded(world, one);
      byElement.set(`${run_uid}/${index}`, [...before, one]);
      const beside = running.get(run_uid) ?? new Set();
      running.set(run_uid, beside.add(one));
      batches.add(uid);
      checkLimit(world, one, beside);
      world.began(machine);
      return one;
    },
    elementEnded: (one, end) => {
      one.ended_ms = world.now();
      one.end = end;
      running.get(one.run_uid)?.delete(one);
      world.note(`- ${describe(one)}: ${end}`);
    },
  };
}

export const describe = ({ index, round, name, uid, machine }: Execution): string =>
  `element ${index} of ${name} ${uid.slice(0, 6)}, attempt ${round}, on ${machine.id}`;

function checkPair(world: ElementsWorld, older: Execution, newer: Execution): void {
  const seen = (): string => `${describe(newer)} after ${describe(older)}`;
  if ([older, newer].some(({ uid }) => world.isStrange(uid))) return;
  demand(older.round !== newer.round, "63: an element executes once a round", seen);
  const lives = older.ended_ms === null && !world.isLeft(older.uid) && !world.isLeft(newer.uid);
  demand(!lives, "63: an element is executed once at a time", seen);
}

function checkRecorded(world: ElementsWorld, one: Execution): void {
  const end = world.recorded(one.run_uid, one.index);
  const may = end === null || world.isLeft(one.uid) || world.isStrange(one.uid);
  demand(may, "63: an element that is over never runs again", () => `${describe(one)} has ended: ${end ?? ""}`);
}

function checkLimit(world: ElementsWorld, one: Execution, beside: ReadonlySet<Execution>): void {
  const limit = world.limitOf(one.run_uid);
  if (limit === null) return;
  const counted = [...beside].filter(({ uid }) => !world.isLeft(uid) && !world.isStrange(uid)).length;
  demand(counted <= limit, "63: an array keeps its limit", () => `${describe(one)} is one of ${counted}, not ${limit}`);
}
