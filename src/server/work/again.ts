// A job of an app that is run once more, with further arguments and variables.

import { newRun } from "../../core/model/new-run";
import type { RunAfter, RunRow, WorkloadRow } from "../../core/model/rows-work";
import type { InputRef, TaskSpec, WorkloadDecl } from "../../core/model/workload";
import { parseJob } from "../../spec/parse";
import { aboutRun } from "../../core/plan/events";
import type { Draft } from "../../store/store";
import { RefusedError } from "../refused";
import { workloadsOf } from "./apps";
import { metBy } from "./runs";

export interface AddedToJob {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Returns the job with the additions. Throws RefusedError for arguments or variables that no job may have. */
export function jobAgain(job: WorkloadRow, spec: TaskSpec, { args, env }: AddedToJob): WorkloadDecl {
  const whole = { ...spec.env, ...env };
  // The spec file's own rules hold for what is added too.
  const read = parseJob({ command: ["job", ...args], env: whole }, job.name);
  if (read.is === "invalid") {
    const [first] = read.issues;
    throw new RefusedError("spec", `${first?.path ?? ""}: ${first?.message ?? ""}`, first?.hint ?? null, read.issues);
  }
  return {
    name: job.name,
    kind: job.kind,
    spec: { ...spec, command: withArgs(spec.command, args), env: whole },
    settings: job.settings,
  };
}

function withArgs(command: TaskSpec["command"], args: readonly string[]): TaskSpec["command"] {
  if (args.length === 0) return command;
  if (command.kind === "argv") return { ...command, argv: [...command.argv, ...args] };
  const quoted = args.map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`);
  return { ...command, script: [command.script.trimEnd(), ...quoted].join(" ") };
}

interface Again {
  readonly job: WorkloadRow;
  readonly decl: WorkloadDecl;
  readonly user: string;
  readonly uid: string;
  readonly stdin: InputRef | null;
}

/** Makes the run, which is the job's newest from then on. What the job comes after is bound to the newest runs. */
export function makeRunAgain(draft: Draft, { job, decl, user, uid, stdin }: Again): RunRow {
  const row = newRun({
    uid,
    run: draft.takeRunNumber(),
    name: `${job.app}.${job.name}`,
    project: job.project,
    user,
    app_uid: job.app_uid,
    app: job.app,
    workload_uid: job.uid,
    version: job.version,
    spec_hash: draft.putSpec(decl.spec),
    settings: decl.settings,
    stdin,
    after: decl.settings.after.map(({ name, when }) => boundAgain(draft, job, name, when)),
    created_ms: draft.now_ms,
  });
  const last_run = { uid, run: row.run, state: row.state };
  draft.put([
    { table: "workloads", key: job.uid, row: { ...job, last_run } },
    { table: "runs", key: uid, row },
  ]);
  draft.event({ verb: "queued", ...aboutRun(row), detail: "run again" });
  return row;
}

function boundAgain({ state }: Draft, job: WorkloadRow, name: string, when: RunAfter["when"]): RunAfter {
  const target = workloadsOf(state, job.app_uid).find((one) => one.name === name);
  if (target !== undefined && target.kind !== "job") return { name, uid: target.uid, when, met: null };
  const last = target?.last_run ?? null;
  if (last === null) {
    const first = `${job.app}.${name}`;
    const message = `${job.app}.${job.name} comes after ${first}, which has never run`;
    throw new RefusedError("conflict", message, `Run that one first: orch run ${first}`);
  }
  return { name, uid: last.uid, when, met: metBy(state, last, when) };
}
