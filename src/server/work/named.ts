// What a typed text can mean, and the one name that says exactly this thing.

import type { AppRow, RunRow, WorkloadRow } from "../../core/model/rows-work";
import type { NodeRow } from "../../core/model/rows-node";
import type { TaskRow } from "../../core/model/rows-task";
import { nameFor, shortId, type NamedPart } from "../../core/model/task";
import type { Store } from "../../store/store";
import type { NameKind, NameView } from "../../wire/api/names";

/**
 * What a name of work means: the owner of tasks, and which of the owner's tasks. A null `slot`, `member` or `attempt`
 * means all of them.
 */
export interface Meant extends NamedPart {
  readonly kind: "run" | "workload" | "task";
  /** The uid of the tasks' owner: a run or a workload. */
  readonly owner_uid: string;
  readonly run: RunRow | null;
  readonly workload: WorkloadRow | null;
  readonly project: string;
  readonly user: string;
  /** The name of the run, or of the workload with its app. */
  readonly name: string;
  /** The index of an element in its array, if the name means one, else null. `slot` is its number then. */
  readonly element: number | null;
  /** The task, if the reference is a task's id, else null. */
  readonly task: TaskRow | null;
}

export type NamedThing =
  | Meant
  | { readonly kind: "app"; readonly app: AppRow }
  | { readonly kind: "node"; readonly node: NodeRow }
  | { readonly kind: "card"; readonly id: string; readonly node: NodeRow };

/** What is looked through. */
export type Searched = Pick<Store, "state" | "history" | "spec" | "now">;

/** Who asks, and for what. */
export interface NameWish {
  readonly name: string;
  readonly project: string;
  /** The kinds that the command takes. */
  readonly kinds: readonly NameKind[];
  /** Whether a thing of another project is meant only where its project is written. */
  readonly own?: boolean | undefined;
}

export const WORK: readonly NameKind[] = ["task", "workload", "run"];

export const isWork = (found: NamedThing): found is Meant =>
  found.kind === "run" || found.kind === "workload" || found.kind === "task";

const NOTHING = {
  project: null,
  user: null,
  app: null,
  workload: null,
  run: null,
  state: null,
  slot: null,
  member: null,
  attempt: null,
  task_id: null,
  array: false,
  node: null,
};

export function nameView(found: NamedThing): NameView {
  switch (found.kind) {
    case "app": {
      const { project, name, changed_by } = found.app;
      return { ...NOTHING, kind: "app", name: `${project}/${name}`, project, user: changed_by, app: name };
    }
    case "node":
      return { ...NOTHING, kind: "node", name: found.node.name, node: found.node.name };
    case "card":
      return { ...NOTHING, kind: "card", name: found.id, node: found.node.name };
    default: {
      const { kind, project, user, slot, member, attempt, task, run } = found;
      return {
        ...NOTHING,
        kind,
        name: exactName(found),
        project,
        user,
        ...appOf(found),
        run: run?.run ?? task?.run ?? null,
        state: run?.state ?? null,
        slot,
        member,
        attempt,
        task_id: task === null ? null : shortId(task.uid),
        array: (run?.array ?? task?.batch ?? null) !== null,
      };
    }
  }
}

function appOf({ task, workload, run }: Meant): Pick<NameView, "app" | "workload"> {
  if (task !== null) return { app: task.app, workload: task.workload };
  if (workload !== null) return { app: workload.app, workload: workload.name };
  return { app: run?.app ?? null, workload: null };
}

/** Returns the name that means this work and nothing else: a task's id, a run's number, or a name with its project. */
function exactName({ task, workload, run, project, slot, member, attempt }: Meant): string {
  if (task !== null) return shortId(task.uid);
  const [whole, between] =
    workload === null ? [String(run?.run), "_"] : [`${project}/${workload.app}.${workload.name}`, "."];
  const part = [slot === null ? "" : `${between}${slot}`, member === null ? "" : `.${member}`];
  return `${whole}${part.join("")}${attempt === null ? "" : `#${attempt}`}`;
}

/** Returns the name of a run or workload as somebody of a project types it in a hint. */
export const hintName = (
  { run, workload, project, name }: Meant,
  { project: mine }: Pick<NameWish, "project">,
): string => (workload === null ? String(run?.run ?? name) : nameFor(mine, project, name));

/** Returns a thing in a few words, as a list of several shows it. */
export function sayNamed(found: NamedThing): string {
  switch (found.kind) {
    case "app":
      return `the app ${found.app.project}/${found.app.name}`;
    case "node":
      return `the node ${found.node.name}`;
    case "card":
      return `the card ${found.id} on ${found.node.name}`;
    default: {
      const { run, user, kind } = found;
      if (kind !== "run" || run === null) return `the ${kind} ${exactName(found)}`;
      return `run ${run.run} (${run.name}, ${run.state}, of ${user})`;
    }
  }
}
