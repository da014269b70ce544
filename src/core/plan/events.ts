// The events of a plan, which people read later with `orch events`: one line per operation that matters to them.

import { isBack } from "../pass/contact";
import { freshUid } from "../fresh";
import type { Change, EventRow } from "../model/rows-state";
import type { NodeRow } from "../model/rows-node";
import type { TaskRow } from "../model/rows-task";
import type { Pass } from "../pass/pass";
import type { Op } from "../pass/snapshot";
import type { RunRow } from "../model/rows-work";
import { fullRunName, taskName } from "../model/task";

type NewEvent = Omit<EventRow, "id" | "at_ms" | "actor">;

/**
 * Returns the events of the operations that matter to people, one each. `made` is how many uids of the pass were given
 * to tasks: the events take the following ones.
 */
export function eventsOf(ops: readonly Op[], pass: Pass, made: number): Change[] {
  const events: Change[] = [];
  for (const op of ops) {
    const told = tell(op, pass);
    if (told === null) continue;
    const id = freshUid(pass.snapshot.seed, made + events.length);
    events.push({ table: "events", key: id, row: { id, at_ms: pass.now_ms, actor: "plan", ...told } });
  }
  return events;
}

function tell(op: Op, pass: Pass): NewEvent | null {
  const nodeName = (id: string): string => pass.nodes.get(id)?.node.name ?? id;
  switch (op.op) {
    case "place":
      return about(op.task, "placed", `on ${nodeName(op.task.node_id)}: ${op.why}`);
    case "stop":
      return about(op.task, "stop", op.why);
    case "write_off":
      return about(op.task, "written off", `on ${nodeName(op.task.node_id)}: ${op.why}`);
    case "notify":
      return about(op.task, "idle", op.why);
    case "lose":
      return about(op.task, "lost", op.why);
    case "node":
      return {
        verb: contactVerb(op.node),
        object: op.node.name,
        project: null,
        node_id: op.node.id,
        run: null,
        detail: op.why,
      };
    case "quarantine":
      return {
        verb: "quarantined",
        object: op.node.name,
        project: null,
        node_id: op.node.id,
        run: null,
        detail: op.why,
      };
    case "run":
      // A run's success is reported by the end of its task.
      return op.run.state !== "failed" && op.run.state !== "cancelled"
        ? null
        : { verb: `run ${op.run.state}`, node_id: null, detail: op.why, ...aboutRun(op.run) };
    case "remove":
      return { verb: "removed", object: op.name, project: op.project, node_id: null, run: null, detail: op.why };
    case "go":
    case "elements":
    case "archive":
    case "port":
      return null;
  }
}

const about = (task: TaskRow, verb: string, detail: string): NewEvent => ({
  verb,
  object: taskName(task),
  project: task.project,
  node_id: task.node_id,
  run: task.run,
  detail,
});

/** Returns what an event of a run is about. */
export const aboutRun = (run: RunRow): Pick<EventRow, "object" | "project" | "run"> => ({
  object: run.app === null ? String(run.run) : fullRunName(run),
  project: run.project,
  run: run.run,
});

const contactVerb = (node: NodeRow): string => (isBack(node) ? "back" : node.contact);

/** What may follow the name of a thing in the name of a part of it: `recs` has `recs.api.0#2`. */
export const PARTS = [".", "#", "_", " "] as const;

/** Returns the project and the object that a typed `PROJECT/NAME` or `NAME` is about. */
export function subjectOf(typed: string): { readonly project: string | null; readonly object: string } {
  const slash = typed.indexOf("/");
  return slash < 0
    ? { project: null, object: typed }
    : { project: typed.slice(0, slash), object: typed.slice(slash + 1) };
}

/** Returns whether an event is about the thing that was typed, or about a part of it. `run`: the run that it is. */
export function isAbout(
  event: Pick<EventRow, "object" | "project" | "run"> & { readonly node: string | null },
  typed: string,
  run: number | null = null,
): boolean {
  if (run !== null && event.run === run) return true;
  const { project, object } = subjectOf(typed);
  if (project !== null && event.project !== project) return false;
  if (project === null && event.node === object) return true;
  return event.object === object || PARTS.some((part) => event.object.startsWith(object + part));
}
