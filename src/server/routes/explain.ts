// Route that explains why something is where it is, or why it waits.

import { z } from "zod";
import { formatAge } from "../../core/format";
import { isFinal } from "../../core/model/lifecycle";
import type { RunRow } from "../../core/model/rows-work";
import { calledAs, fullName, fullRunName, isPart, isWanted } from "../../core/model/task";
import { overHint, sayOver } from "../../core/why/over";
import { explainView } from "../../wire/api/plans";
import type { Api } from "./api";
import { RefusedError } from "../refused";
import type { Principal } from "../access/auth";
import { hintName, type Meant } from "../work/named";
import { meantBy, tasksOf } from "../work/resolve";
import { route } from "./route";
import { blockedView, placedView } from "../views/plan";
import type { TaskView } from "../../wire/api/tasks";
import { type TaskLook, taskView } from "../views/task";
import { lookOf, pendingOf } from "./tasks";

/** Returns what became of a task or a run that has ended. */
function overText({ store }: Api, ref: string, meant: Meant, who: Principal, look: TaskLook): string {
  const { workload } = meant;
  if (meant.kind === "workload" && workload?.kind === "service" && workload.settings.replicas === 0)
    return `${ref} is to have 0 replicas: orch scale ${hintName(meant, who)}=1`;
  const { run, slot, member, attempt } = meant;
  const last = tasksOf(store, meant)[0];
  const view = last === undefined ? null : taskView(last, look);
  // A run may have ended otherwise than its last task: one that no node took was rejected, and the run has failed.
  if (run !== null && slot === null && member === null && attempt === null)
    return sayOver(fullRunName(run), run.state, endOf({ ...run, reason: look.wording(run.reason, run) }, view));
  return last === undefined || view === null
    ? `${ref} neither runs nor waits`
    : sayOver(fullName(last), view.state, endOf(view, view));
}

type Ended = Pick<RunRow, "reason" | "exit_code" | "signal">;

/** Returns how a task or run ended: its reason, or else its code or signal; and the facts of its last task beside. */
function endOf({ reason, exit_code, signal }: Ended, last: TaskView | null): string | null {
  const exit = exit_code === null || exit_code === 0 ? null : `exit ${exit_code}`;
  const code = signal === null ? exit : `killed by ${signal}`;
  const facts = [
    last?.kind === "job" ? `attempt ${last.attempt}` : null,
    reason === null ? null : code,
    last === null || last.started_ms === null || last.finished_ms === null
      ? null
      : `ran ${formatAge(last.finished_ms - last.started_ms)}`,
  ].filter((fact) => fact !== null);
  const why = reason ?? code;
  return `${why ?? ""}${facts.length === 0 ? "" : `${why === null ? "" : " "}(${facts.join(", ")})`}`;
}

/** Names the run, since its job may have run again by then. */
function moreOf(api: Api, meant: Meant, who: Principal): string {
  const tasks = tasksOf(api.store, meant);
  const run = tasks[0]?.run ?? meant.run?.run ?? null;
  return overHint(
    run === null ? hintName(meant, who) : String(run),
    tasks.some(({ observed }) => observed.state !== "rejected"),
  );
}

/** The most slots that are told beside the first one. */
const MOST_OTHERS = 100;

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
      const [blocked, ...more] = api.loop
        .blocked()
        .filter((one) => owners.has(one.owner_uid) && (meant.slot === null || one.slot === meant.slot));
      const living = tasksOf(api.store, meant).filter((one) => !isFinal(one.observed.state));
      const task = living.find(isWanted) ?? living[0];
      if (blocked !== undefined && (task === undefined || meant.task === null)) {
        const others = more.slice(0, MOST_OTHERS).map((one) => blockedView(one, look));
        return { ...blockedView(blocked, look), others };
      }
      if (task !== undefined) return { placed: placedView(api, task, look.wording) };
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
          others: [],
        };
      }
      throw new RefusedError("conflict", overText(api, params.ref, meant, who, look), moreOf(api, meant, who));
    },
  }),
];
