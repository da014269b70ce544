// Parses the names that users type for apps, workloads, runs and tasks. The server resolves tasks; the kind of a name
// decides which request is made.

import { parseName } from "../../core/model/task";
import { UsageError } from "../failure";

export type Ref =
  /** A run, such as `123`. */
  | { readonly kind: "run"; readonly run: number }
  /** A slot, or one attempt of it: `123.1`, `123_7`, `recs.api.0`, `recs.api.0#2`. */
  | { readonly kind: "slot"; readonly name: string }
  /** A workload, such as `recs.api`. */
  | { readonly kind: "workload"; readonly project: string | null; readonly app: string; readonly workload: string }
  /** The start of a task's id. */
  | { readonly kind: "id"; readonly id: string }
  /** A single word: an app, a node, or an id that looks like a word. */
  | { readonly kind: "word"; readonly word: string; readonly project: string | null };

/** The length of a short id. A number of ten digits is an id and not a run, since no cluster has counted that far. */
const ID_DIGITS = 10;

export function readRef(text: string): Ref {
  const name = parseName(text);
  if (name !== null && (name.slot ?? name.member ?? name.attempt) !== null) return { kind: "slot", name: text };
  if (name?.is === "workload") {
    const { project, app, workload } = name;
    return { kind: "workload", project, app, workload };
  }
  if (name?.is === "run" && text.length < ID_DIGITS) return { kind: "run", run: name.run };
  if (/^[0-9a-f]{6,32}$/.test(text) && /\d/.test(text)) return { kind: "id", id: text };
  const [, project = null, word] = /^(?:([a-z][a-z0-9-]*)\/)?([A-Za-z0-9-]+)$/.exec(text) ?? [];
  if (word !== undefined) return { kind: "word", word, project };
  throw new UsageError(
    `${text}: neither a task, a workload, a run nor a node`,
    "Write it like recs.api.0, recs.api, 123, 123.1, or the start of a task's id",
  );
}

export interface AppRef {
  readonly project: string | null;
  readonly app: string;
}

/** Reads `app` or `project/app`. Throws UsageError. */
export function readApp(text: string): AppRef {
  const [, project = null, app] = /^(?:([a-z][a-z0-9-]*)\/)?([a-z][a-z0-9-]*)$/.exec(text) ?? [];
  if (app === undefined) throw new UsageError(`${text}: not the name of an app`, "Write it like recs or search/recs");
  return { project, app };
}

/** Reads `app.workload` or `project/app.workload`. Throws UsageError. */
export function readWorkload(text: string): AppRef & { readonly workload: string } {
  const ref = readRef(text);
  if (ref.kind !== "workload") throw new UsageError(`${text}: not a workload`, "Write it like recs.api");
  return { project: ref.project, app: ref.app, workload: ref.workload };
}

/** Reads a run's number. A slot, member or attempt behind it is dropped. Throws UsageError. */
export function readRun(text: string): number {
  const [, run] = /^(\d+)(?:[._#]\d+)*$/.exec(text) ?? [];
  if (run === undefined) throw new UsageError(`${text}: not the number of a run`, "See: orch runs");
  return Number(run);
}
