// Laws of tasks: observed and desired states only rise, a task keeps its identity, and it leaves the live state only by
// its end.

import { isFinal, mayMove } from "../model/lifecycle";
import type { TaskRow } from "../model/rows-task";
import { slotKey, taskName } from "../model/task";
import { type Law, linesOf } from "./law";
import type { MomentRows } from "./moment";

const WISH = { prepare: 0, run: 1, stop: 2 } as const;

/** Returns a task in words: its name, the first 10 digits of its uid, and its node. */
export const sayTask = (task: TaskRow): string => `${taskName(task)} ${task.uid.slice(0, 10)} on ${task.node_id}`;

const isAgent = (actor: string): boolean => actor.startsWith("node ");

/** Returns whether a task is an orphan that somebody has ordered to stop. Such a task has itself as its owner. */
const isOrphan = (task: TaskRow): boolean => task.owner_uid === task.uid;

/** Returns the lines about changed tasks that were live before and still are. */
const kept = (look: MomentRows, breaks: (was: TaskRow, row: TaskRow) => string | null): string[] =>
  linesOf(look.kept, ({ was, row }) => breaks(was, row));

export const TASK_LAWS: readonly Law[] = [
  {
    name: "task-moves",
    says: "a task's state moves as its table says, and whoever is not its agent writes nothing but lost",
    broken: (look) => [...kept(look, (was, row) => wrongMove(look, was, row)), ...wrongEnds(look)],
  },
  {
    name: "task-wish-rises",
    says: "what the plan wants of a task rises from prepare to run to stop, and a stop is for ever",
    broken: (look) =>
      kept(look, (was, row) =>
        WISH[row.desired] < WISH[was.desired] ? `${sayTask(row)} from ${was.desired} to ${row.desired}` : null,
      ),
  },
  {
    name: "task-stays-itself",
    says: "a task keeps its owner, slot, attempt, node, boot, spec, promise and whose heir it is",
    broken: (look) =>
      kept(look, (was, row) => {
        const key = otherThan(was, row);
        return key === null ? null : `${sayTask(row)}: ${key} was ${say(was[key])}, is ${say(row[key])}`;
      }),
  },
  {
    name: "final-is-final",
    says: "an end is written once, it is final, and the task is not live beside it",
    broken: (look) => [...linesOf(look.rows.ended_tasks ?? [], ({ row }) => wrongEnd(look, row)), ...finalLive(look)],
  },
  {
    name: "task-leaves-by-its-end",
    says: "a task leaves the live state by the commit that writes its end",
    broken: ({ tasks, rows }) => {
      const ended = new Set((rows.ended_tasks ?? []).map(({ key }) => key));
      return linesOf(tasks, ({ was, row, key }) =>
        was !== undefined && row === null && !ended.has(key) ? `${sayTask(was)} left without an end` : null,
      );
    },
  },
  {
    name: "grant-covers-attempt",
    says: "an agent's grant reaches at least to the attempt itself",
    broken: (look) => [...kept(look, (_was, row) => shortGrant(row)), ...linesOf(look.fresh, shortGrant)],
  },
  {
    name: "written-off-is-replaced",
    says: "an attempt is given up by the commit that places a later one of its slot, and for ever",
    broken: (look) => kept(look, (was, row) => wrongWriteOff(look, was, row)),
  },
  {
    name: "task-has-owner-and-node",
    says: "a live task's workload or run, and its node, are there",
    broken: (look) => [...linesOf(look.fresh, (row) => missingOf(look, row)), ...left(look)],
  },
  {
    name: "slot-remembers",
    says: "a slot's row knows of every attempt that its live tasks have or were granted",
    broken: forgotten,
  },
];

const shortGrant = (row: TaskRow): string | null =>
  row.grant_until < row.attempt ? `${sayTask(row)}, granted until ${row.grant_until}` : null;

function wrongMove({ moment: { actor } }: MomentRows, was: TaskRow, row: TaskRow): string | null {
  const [from, to] = [was.observed.state, row.observed.state];
  if (was.observed === row.observed || (from === to && !isFinal(to) && isAgent(actor))) return null;
  return mayMove(from, to) && isAgent(actor) ? null : `${sayTask(row)} from ${from} to ${to}`;
}

function wrongEnds({ before, rows, moment: { actor } }: MomentRows): string[] {
  return linesOf(rows.ended_tasks ?? [], ({ row }) => {
    const from = before.tasks.get(row.uid)?.observed.state;
    const to = row.observed.state;
    const may = (from === undefined || mayMove(from, to)) && (to === "lost" || isAgent(actor));
    return may ? null : `${sayTask(row)} from ${from ?? "nothing"} to ${to}`;
  });
}

const SAME = [
  "owner_uid",
  "slot",
  "member",
  "attempt",
  "run",
  "version",
  "spec_hash",
  "node_id",
  "boot_id",
  "exclusive",
  "unix_user",
  "created_ms",
  "assigned_revision",
  "promised",
  "heir_of",
] as const satisfies readonly (keyof TaskRow)[];

const say = (value: unknown): string => JSON.stringify(value);

function otherThan(was: TaskRow, row: TaskRow): (typeof SAME)[number] | null {
  const other = SAME.find((key) => was[key] !== row[key] && say(was[key]) !== say(row[key])) ?? null;
  // A batch gives places up.
  return other === "promised" && was.batch !== null ? null : other;
}

function wrongEnd({ after, before, moment }: MomentRows, row: TaskRow): string | null {
  if (!isFinal(row.observed.state)) return `${sayTask(row)} is ${row.observed.state} in history`;
  if (after.tasks.has(row.uid)) return `${sayTask(row)} is live and has ended`;
  const twice = !before.tasks.has(row.uid) && moment.hasEnded(row.uid);
  return twice ? `${sayTask(row)} had ended before` : null;
}

const finalLive = (look: MomentRows): string[] =>
  linesOf([...look.kept.map(({ row }) => row), ...look.fresh], (row) =>
    isFinal(row.observed.state) ? `${sayTask(row)} is live as ${row.observed.state}` : null,
  );

function wrongWriteOff(look: MomentRows, was: TaskRow, row: TaskRow): string | null {
  if (was.written_off !== null) return row.written_off === null ? `${sayTask(row)} is no longer given up` : null;
  // What a batch has not told goes to the next round, which comes when nothing of this one is out.
  if (row.written_off === null || row.batch !== null) return null;
  const replaced = look.placed.some(
    ({ owner_uid, slot, attempt }) => owner_uid === row.owner_uid && slot === row.slot && attempt > row.attempt,
  );
  return replaced ? null : `${sayTask(row)} is given up and nothing replaces it`;
}

function missingOf({ after }: MomentRows, row: TaskRow): string | null {
  if (!after.nodes.has(row.node_id)) return `${sayTask(row)}: there is no such node`;
  const owned = after.workloads.has(row.owner_uid) || after.runs.has(row.owner_uid) || isOrphan(row);
  return owned ? null : `${sayTask(row)}: there is no owner ${row.owner_uid}`;
}

/** Returns the tasks whose workload, run or node was removed by this transaction. */
function left(look: MomentRows): string[] {
  const gone = new Set<string>();
  for (const table of ["runs", "workloads", "nodes"] as const)
    for (const { key, row } of look.rows[table] ?? []) if (row === null) gone.add(key);
  if (gone.size === 0) return [];
  return linesOf(look.after.tasks.values(), (task) =>
    gone.has(task.owner_uid) || gone.has(task.node_id) ? `${sayTask(task)} is left behind` : null,
  );
}

function forgotten(look: MomentRows): string[] {
  const { after, before, rows } = look;
  const short = (task: TaskRow): string | null => {
    if (isOrphan(task)) return null;
    const attempts = after.slots.get(slotKey(task.owner_uid, task.slot))?.attempts ?? 0;
    const needs = Math.max(task.attempt, task.grant_until);
    return attempts >= needs ? null : `${sayTask(task)} has attempts up to ${needs}, its slot knows of ${attempts}`;
  };
  const lines = linesOf(look.fresh, short);
  if (!look.scans) return lines;
  for (const { key, row } of rows.slots ?? []) {
    const was = before.slots.get(key);
    if (was === undefined || (row?.attempts ?? 0) >= was.attempts) continue;
    lines.push(...linesOf(look.ofSlots().get(was.owner_uid)?.get(was.slot) ?? [], short));
  }
  return lines;
}
