// What a user may type for an app, a workload, a run or a task, taken apart. The server resolves tasks; this decides
// what to ask.

import { parseName } from "../../core/model/task";
import { UsageError } from "../failure";

export type Ref =
  /** `123`: a run. */
  | { readonly kind: "run"; readonly run: number }
  /** `123.1`, `123_7`, `recs.api.0`, `recs.api.0#2`: a slot, or one attempt of it. */
  | { readonly kind: "slot"; readonly name: string }
  /** `recs.api`. */
  | { readonly kind: "workload"; readonly project: string | null; readonly app: string; readonly workload: string }
  /** The start of a task's id. */
  | { readonly kind: "id"; readonly id: string }
  /** A single word: an app, a node, or an id that looks like one. */
  | { readonly kind: "word"; readonly word: string; readonly project: string | null };

/** Digits of a whole short id: as long as no cluster has counted that far, ten digits are an id and not a run. */
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

/** `app` or `project/app`. */
export function readApp(text: string): AppRef {
  const [, project = null, app] = /^(?:([a-z][a-z0-9-]*)\/)?([a-z][a-z0-9-]*)$/.exec(text) ?? [];
  if (app === undefined) throw new UsageError(`${text}: not the name of an app`, "Write it like recs or search/recs");
  return { project, app };
}

/** `app.workload` or `project/app.workload`. */
export function readWorkload(text: string): AppRef & { readonly workload: string } {
  const ref = readRef(text);
  if (ref.kind !== "workload") throw new UsageError(`${text}: not a workload`, "Write it like recs.api");
  return { project: ref.project, app: ref.app, workload: ref.workload };
}

/** A run's number, also with a slot behind it. */
export function readRun(text: string): number {
  const [, run] = /^(\d+)(?:[._#]\d+)*$/.exec(text) ?? [];
  if (run === undefined) throw new UsageError(`${text}: not the number of a run`, "See: orch runs");
  return Number(run);
}
