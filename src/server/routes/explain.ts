// Route that explains why something is where it is, or why it waits.

import { z } from "zod";
import { formatAge } from "../../core/format";
import { isFinal } from "../../core/model/lifecycle";
import { calledAs, fullName, isPart } from "../../core/model/task";
import { explainView } from "../../wire/api/plans";
import type { Api } from "./api";
import { RefusedError } from "../refused";
import type { Meant } from "../work/named";
import { meantBy, tasksOf } from "../work/resolve";
import { route } from "./route";
import { blockedView, placedView } from "../views/plan";
import { type TaskLook, taskView } from "../views/task";
import { lookOf, pendingOf } from "./tasks";

/** Returns what became of a task or a run that has ended. */
function overText({ store }: Api, ref: string, meant: Meant, look: TaskLook): string {
  const { workload } = meant;
  if (meant.kind === "workload" && workload?.kind === "service" && workload.settings.replicas === 0)
    return `${ref} is to have 0 replicas: orch scale ${workload.app}.${workload.name}=1`;
  const last = tasksOf(store, meant)[0];
  if (last !== undefined) {
    const { state, reason, exit_code, signal, kind, attempt, started_ms, finished_ms } = taskView(last, look);
    const exit = exit_code === null || exit_code === 0 ? null : `exit ${exit_code}`;
    const code = signal === null ? exit : `killed by ${signal}`;
    const why = reason ?? code;
    const facts = [
      kind === "job" ? `attempt ${attempt}` : null,
      reason === null ? null : code,
      started_ms === null || finished_ms === null ? null : `ran ${formatAge(finished_ms - started_ms)}`,
    ].filter((fact) => fact !== null);
    const beside = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
    return `${fullName(last)} is over: ${state}${why === null ? "" : `: ${why}`}${beside}`;
  }
  if (meant.run === null) return `${ref} neither runs nor waits`;
  const { state } = meant.run;
  const reason = look.wording(meant.run.reason, meant.run);
  return `${meant.name} is over: ${state}${reason === null ? "" : `: ${reason}`}`;
}

/** Names the run, since its job may have run again by then. What never began has no output. */
function overHint(api: Api, meant: Meant): string {
  const last = tasksOf(api.store, meant)[0];
  const run = last?.run ?? meant.run?.run ?? null;
  const named = run === null ? meant.name : String(run);
  return last === undefined
    ? `orch show ${named} says more`
    : `orch show ${named} says how it ended, orch logs ${named} what it printed`;
}

export const EXPLAIN_ROUTES = [
  route({
    method: "GET",
    path: "/v1/explain/{ref}",
    answer: explainView,
    summary:
      "Why something waits, node by node, and the smallest change that would let it run; or why it is where it is",
    handle({ api, params, who }): z.infer<typeof explainView> {
      const meant = meantBy(api.store, params.ref, who);
      const look = lookOf(api, who);
      const owners = new Set([meant.owner_uid, meant.workload?.uid]);
      const blocked = api.loop
        .blocked()
        .find((one) => owners.has(one.owner_uid) && (meant.slot === null || one.slot === meant.slot));
      const task = tasksOf(api.store, meant).find((one) => !isFinal(one.observed.state));
      if (blocked !== undefined && (task === undefined || meant.task === null)) return blockedView(blocked, look);
      if (task !== undefined) return { placed: placedView(api, task) };
      const pending = pendingOf(api, who, ({ owner_uid }) => owners.has(owner_uid)).find((one) => isPart(meant, one));
      if (pending !== undefined) {
        const view = pending.view();
        const { name, run, workload, reason } = view;
        const summary = reason ?? "waits for the next pass of the plan";
        const title = view.app !== null || run === null ? name : `${calledAs(workload, { name, run })} (run ${run})`;
        return {
          name,
          title,
          slot: pending.slot,
          kind: "queued",
          stuck: false,
          summary,
          smallest_change: null,
          smallest_changes: [],
          nodes: [],
        };
      }
      throw new RefusedError("conflict", overText(api, params.ref, meant, look), overHint(api, meant));
    },
  }),
];
