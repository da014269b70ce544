// Route that explains why something is where it is, or why it waits.

import { z } from "zod";
import { formatAge, formatProgress } from "../../core/format";
import { isFinal } from "../../core/model/lifecycle";
import type { RunRow } from "../../core/model/rows-work";
import { calledAs, fullName, fullRunName, isPart, isWanted } from "../../core/model/task";
import {
  earlierHint,
  elementName,
  isElementOver,
  overHint,
  sayEarlier,
  sayElementOver,
  sayOver,
} from "../../core/why/over";
import type { ElementView } from "../../wire/api/arrays";
import { type BlockedView, explainView } from "../../wire/api/plans";
import type { Api } from "./api";
import { RefusedError } from "../refused";
import type { Principal } from "../access/auth";
import { hintName, type Meant } from "../work/named";
import { meantBy, tasksOf } from "../work/resolve";
import { route } from "./route";
import { elementAt, overOfRun, progressOf } from "../views/elements";
import { blockedView, placedView } from "../views/plan";
import type { TaskView } from "../../wire/api/tasks";
import { type TaskLook, taskView } from "../views/task";
import { lookOf, pendingOf } from "./tasks";

/** Returns what became of a task or a run that has ended. */
function overText({ store }: Api, ref: string, meant: Meant, who: Principal, look: TaskLook): string {
  const { workload } = meant;
  if (meant.kind === "workload" && workload?.kind === "service" && workload.settings.replicas === 0)
    return `${ref} is to have 0 replicas: orch scale ${hintName(meant, who)}=1`;
  const { run, slot, member, attempt, element } = meant;
  if (run !== null && element !== null) {
    const view = elementAt(store, run, element);
    if (view.state === "cancelled") return sayOver(ref, "never began", overOfRun(run, look));
    if (isElementOver(view)) return sayOver(ref, view.state, sayElementOver(view));
  }
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
  // Of an element that never began its run says more. An array as a whole has no output.
  const isRun = meant.element === null || tasks.length === 0;
  const hasOutput = meant.element !== null || (meant.run?.array ?? null) === null;
  return overHint(
    run === null ? hintName(meant, who) : isRun ? String(run) : `${run}_${meant.slot}`,
    hasOutput && tasks.some(({ observed }) => observed.state !== "rejected"),
  );
}

/** Throws RefusedError for an attempt of an element that was not its last. */
function refuseEarlier(view: ElementView, ref: string, attempt: number | null): void {
  const name = elementName(ref);
  const earlier = attempt === null ? null : sayEarlier(name, attempt, view.attempts ?? 0, isElementOver(view));
  if (attempt !== null && earlier !== null) throw new RefusedError("conflict", earlier, earlierHint(name, attempt));
}

/** The most slots that are told beside the first one. */
const MOST_OTHERS = 100;

/** Returns the view of what waits where no node stands in its way. */
const queued = (part: Pick<BlockedView, "name" | "title" | "slot" | "summary">): z.infer<typeof explainView> => ({
  ...part,
  kind: "queued",
  stuck: false,
  smallest_change: null,
  smallest_changes: [],
  nodes: [],
  others: [],
});

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
      const { run, element } = meant;
      const isElement = element !== null;
      const over = (): RefusedError =>
        new RefusedError("conflict", overText(api, params.ref, meant, who, look), moreOf(api, meant, who));
      if (run !== null && isElement) {
        const view = elementAt(api.store, run, element);
        refuseEarlier(view, params.ref, meant.attempt);
        if (isElementOver(view)) throw over();
      }
      const owners = new Set([meant.owner_uid, meant.workload?.uid]);
      const [blocked, ...more] = api.loop
        .blocked()
        .filter((one) => owners.has(one.owner_uid) && (meant.slot === null || isElement || one.slot === meant.slot));
      const living = tasksOf(api.store, meant).filter((one) => !isFinal(one.observed.state));
      const task = living.find(isWanted) ?? living[0];
      if (blocked !== undefined && (task === undefined || (meant.task === null && !isElement))) {
        const others = more.slice(0, MOST_OTHERS).map((one) => blockedView(one, look));
        return { ...blockedView(blocked, look), others };
      }
      if (task !== undefined) return { placed: placedView(api, task, look.wording) };
      const pending = pendingOf(api, who, ({ owner_uid }) => owners.has(owner_uid)).find(
        (one) => isElement || isPart(meant, one),
      );
      if (pending !== undefined) {
        const view = pending.view();
        const { name, workload, reason } = view;
        const called = view.run === null ? name : `${calledAs(workload, { name, run: view.run })} (run ${view.run})`;
        const title = view.app === null ? called : name;
        return queued({ name, title, slot: pending.slot, summary: reason ?? "waits for the next pass of the plan" });
      }
      const progress = run === null || !isElement ? null : progressOf(run);
      if (progress === null || run === null) throw over();
      // Other elements run, and these have as many places as the array may have, or as there is room for.
      const summary = `waits until the elements before it are over: ${formatProgress(progress)}`;
      return queued({ name: params.ref, title: `${params.ref} (${run.name})`, slot: meant.slot ?? 0, summary });
    },
  }),
];
