// An ended run that is run once more as it was: the same spec, the same settings, the same standard input.

import { newRun } from "../../core/model/new-run";
import type { RunAfter, RunRow, WorkloadRow } from "../../core/model/rows-work";
import { settingsInPlace } from "../../core/model/settings";
import { formatBytes } from "../../core/format";
import { aboutRun } from "../../core/plan/events";
import { sayRunEnd } from "../../core/plan/after";
import type { Draft } from "../../store/store";
import type { Principal } from "../access/auth";
import { requireGrants, requireLeases } from "../access/grants";
import type { Context } from "../context";
import { RefusedError } from "../refused";
import { requireRoom, withinReplicas } from "./require-room";
import { metBy } from "./runs";

interface Repeating {
  readonly context: Context;
  readonly run: RunRow;
  readonly who: Principal;
  readonly uid: string;
}

/**
 * Makes another run of an ended one, and returns its row. It belongs to who asks. Throws RefusedError where it could
 * not be the same: its spec, its input or its job is gone, or what it came after ended otherwise.
 */
export function repeatRun(draft: Draft, { context, run, who, uid }: Repeating): RunRow {
  const { store, limits } = context;
  if (!store.hasSpec(run.spec_hash)) {
    throw refused(run, "its spec is no longer kept", "Make it anew: orch run, or orch run APP.JOB");
  }
  const spec = store.spec(run.spec_hash);
  const job = jobOf(draft, run);
  // What acts from the next run on is not what this one had: it is the same run once more.
  const settings = job === null ? run.settings : settingsInPlace(run.settings, job.settings);
  const decl = { name: run.name, kind: "job" as const, spec, settings };
  requireInputOf(context, run, who);
  requireGrants(who, [decl]);
  requireLeases(limits.lease_ms, [decl]);
  requireRoom(context, who.name);
  const after = run.after.map((each) => stillAfter(draft, context, run, each));
  return withinReplicas(draft, store.members, (noted) => {
    const row = newRun({
      uid,
      run: noted.takeRunNumber(),
      name: run.name,
      project: run.project,
      user: who.name,
      app_uid: run.app_uid,
      app: run.app,
      workload_uid: run.workload_uid,
      version: run.version,
      spec_hash: noted.putSpec(spec),
      settings,
      stdin: run.stdin,
      after,
      created_ms: noted.now_ms,
    });
    noted.put([{ table: "runs", key: uid, row }]);
    if (job !== null) {
      const last_run = { uid, run: row.run, state: row.state };
      noted.put([{ table: "workloads", key: job.uid, row: { ...job, last_run } }]);
    }
    noted.event({ verb: "queued", ...aboutRun(row), detail: `run ${run.run} again` });
    return row;
  });
}

/** Returns the job of an app that the run is of, or null for a run of no app. */
function jobOf({ state }: Draft, run: RunRow): WorkloadRow | null {
  if (run.workload_uid === null) return null;
  const job = state.workloads.get(run.workload_uid);
  if (job === undefined || job.removing) throw refused(run, `${run.name} was removed`, "Apply its file again");
  if (job.version === run.version) return job;
  const versions = `it was version ${run.version} of ${run.name}, which is at version ${job.version}`;
  throw refused(run, versions, `Run the present one: orch run ${run.name}`);
}

function requireInputOf({ inputs }: Context, run: RunRow, who: Principal): void {
  const { stdin } = run;
  if (stdin === null || inputs.has(who.name, stdin)) return;
  const whose = run.user === who.name ? "is no longer kept" : `belongs to ${run.user}`;
  throw refused(
    run,
    `the ${formatBytes(stdin.bytes)} that it read from standard input ${whose}`,
    run.app === null ? "Give it again: orch run -- CMD < FILE" : `Give it again: orch run ${run.name} < FILE`,
  );
}

/** Returns a wait of the run as it stands now. */
function stillAfter(draft: Draft, { store }: Context, run: RunRow, after: RunAfter): RunAfter {
  if (after.when === "up") return { ...after, met: null };
  const last = draft.state.runs.get(after.uid) ?? store.history.run(after.uid);
  const met = last === null ? (after.met ?? false) : metBy(draft.state, last, after.when);
  if (met !== false) return { ...after, met };
  const how = last === null ? "is no longer known" : sayRunEnd(last);
  throw refused(run, `it comes after ${after.name}, which ${how}`, "Make it without that: orch run");
}

const refused = (run: RunRow, why: string, hint: string): RefusedError =>
  new RefusedError("conflict", `run ${run.run} cannot run again as it was: ${why}`, hint);
