// Assigns the processes on a card to tasks: by control group, by the mark in the environment, or by descent from a
// task's living process. Other processes are strangers. A process that was assigned to a task stays that task's while
// it is on the card.

import type { CardTask, CardUser } from "../../core/agent/card-users";
import { shortId } from "../../core/model/task";
import type { Ms } from "../../core/units";
import { beganWith } from "../../os/proc";
import { processFacts, type ProcessFacts } from "../../os/process/process-facts";
import type { CardProcess } from "../devices/device";

/** A task's name and account. A null account stands for the agent's. */
export type TaskName = Pick<CardTask, "name" | "user">;

/** The tasks that live, and those that ended a while ago. */
export interface Tasks {
  readonly living: readonly CardTask[];
  /** Ended tasks by uid. */
  readonly past: ReadonlyMap<string, TaskName>;
  /** Accounts that any task may use: the agent's own, and the one that tasks share. */
  readonly accounts: readonly string[];
}

export interface ProcessOwners {
  /** Returns the processes of one look, each with its account, name and task. */
  identify(processes: readonly CardProcess[], tasks: Tasks, now_ms: Ms): readonly CardUser[];
}

const MARK = "ORCH_TASK=";
const MOST_ANCESTORS = 32;

/**
 * Remembers the processes of the last look, so that a process that has just died keeps its task. `homes` are the
 * control groups that contain the groups of tasks. Groups elsewhere are ignored, since other accounts may make groups
 * there and name them after any task.
 */
export function createOwners(
  homes: readonly string[],
  environmentOf: (pid: number) => readonly string[] = beganWith,
): ProcessOwners {
  let known = new Map<number, CardUser>();
  let marks = new Map<string, string | undefined>();
  return {
    identify(processes, tasks, now_ms) {
      const before = marks;
      marks = new Map();
      // A process's environment is read once, since the kernel may block the reader while a stuck driver holds the
      // process's memory.
      const markOf = ({ pid, start, command }: ProcessFacts): string | undefined => {
        const key = `${pid} ${start} ${command}`;
        const mark = before.has(key) ? before.get(key) : environmentOf(pid).find((entry) => entry.startsWith(MARK));
        marks.set(key, mark);
        return mark;
      };
      const index = { ...indexOf(tasks), homes, markOf };
      const users = processes.map((one) => identified(one, index, known.get(one.pid), now_ms));
      known = new Map(users.map((user) => [user.pid, user]));
      return users;
    },
  };
}

interface Index extends Tasks {
  readonly names: ReadonlyMap<string, TaskName>;
  readonly by_mark: ReadonlyMap<string, string>;
  readonly by_pid: ReadonlyMap<number, string>;
  readonly homes: readonly string[];
  readonly markOf: (facts: ProcessFacts) => string | undefined;
}

function indexOf(tasks: Tasks): Omit<Index, "homes" | "markOf"> {
  const { living, past } = tasks;
  const names = new Map<string, TaskName>([...past, ...living.map((task) => [task.uid, task] as const)]);
  const by_mark = new Map([...names.keys()].map((uid) => [shortId(uid), uid]));
  const by_pid = new Map(living.flatMap(({ uid, pid }) => (pid === null ? [] : [[pid, uid] as const])));
  return { ...tasks, names, by_mark, by_pid };
}

function identified(
  { pid, memory_bytes }: CardProcess,
  index: Index,
  before: CardUser | undefined,
  now_ms: Ms,
): CardUser {
  const facts = processFacts(pid);
  if (facts === null) {
    // The process has just died, or is invisible to this agent. The values of the last look are the best there are.
    const task = before?.task ?? null;
    const { user, command, began_ms } = before ?? { user: null, command: "a process unknown here", began_ms: null };
    return { pid, memory_bytes, user, command, began_ms, start: null, ...ofTask(task?.uid ?? null, index) };
  }
  const { start, user, command, age_ms } = facts;
  const same = before !== undefined && before.start === start ? before.task?.uid : undefined;
  const uid = same ?? taskOf(facts, index);
  return { pid, memory_bytes, user, command, start, began_ms: now_ms - age_ms, ...ofTask(uid, index) };
}

function ofTask(uid: string | null, { names, living }: Index): Pick<CardUser, "task" | "task_uid"> {
  const name = uid === null ? undefined : names.get(uid)?.name;
  if (uid === null || name === undefined) return { task: null, task_uid: null };
  return { task_uid: uid, task: { uid, name, lives: living.some((one) => one.uid === uid) } };
}

function taskOf(facts: ProcessFacts, index: Index): string | null {
  const grouped = facts.groups.flatMap((path) => groupIn(index.homes, path)).find((name) => index.names.has(name));
  if (grouped !== undefined) return grouped;
  const mark = index.markOf(facts);
  const marked = mark === undefined ? undefined : index.by_mark.get(mark.slice(MARK.length));
  return marked !== undefined && mayBe(facts.user, marked, index) ? marked : descendedFrom(facts, index.by_pid);
}

/** Returns the name of the task's group that contains a path; none for a path outside of `homes`. */
const groupIn = (homes: readonly string[], path: string): readonly string[] =>
  homes.filter((home) => path.startsWith(`${home}/`)).map((home) => path.slice(home.length + 1).split("/")[0] ?? "");

/**
 * Returns whether a process of this account may be the task's. Any process can put a mark into its environment, so a
 * mark counts only under the task's account.
 */
function mayBe(user: string, uid: string, { names, accounts }: Index): boolean {
  return names.get(uid)?.user === user || accounts.includes(user);
}

function descendedFrom(facts: ProcessFacts, by_pid: ReadonlyMap<number, string>): string | null {
  let one: ProcessFacts | null = facts;
  for (let up = 0; one !== null && up < MOST_ANCESTORS; up++) {
    const found = by_pid.get(one.pid) ?? by_pid.get(one.session);
    if (found !== undefined) return found;
    one = one.parent > 1 ? processFacts(one.parent) : null;
  }
  return null;
}
