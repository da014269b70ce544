// Route for the output of tasks, for their owners.

import { z } from "zod";
import { RefusedError } from "../refused";
import { meantBy, tasksOf } from "../work/resolve";
import { route } from "./route";
import { flag, number } from "../http/query";
import { logOf } from "../agents/logs";
import { elementAt, overOfRun } from "../views/elements";
import { reasonOf } from "../views/task";
import { isFinal } from "../../core/model/lifecycle";
import type { TaskRow } from "../../core/model/rows-task";
import { fullName, taskName } from "../../core/model/task";
import { overHint, sayNeverBegan } from "../../core/why/over";
import { lookOf, pendingOf } from "./tasks";

const query = z.object({
  stream: z.enum(["stdout", "stderr"]).optional().describe("stdout if it is left out"),
  follow: flag.optional().describe("goes on until the task has ended"),
  since_ms: number.optional().describe("only what was written since this Unix time"),
  tail: number
    .optional()
    .describe("only the last so many lines of what is there; `x-orch-log-offset` says where they begin"),
  times: flag.optional().describe("each line begins with its time, as its node noticed it: up to 4 s late"),
  offset: number.optional().describe("only from this byte on, counted from the first byte that the task ever wrote"),
  attempt: number.optional().describe("left out: the newest"),
});

/** Returns whether a node has said that a task has no process yet, as one in its restart back-off. */
const waitsToBegin = ({ observed: { state } }: TaskRow): boolean => state === "preparing";

/** What an element of an array waits for that no node has, while others of it run. */
const BEHIND_OTHERS = "it waits until the elements before it are over";

export const LOG_ROUTES = [
  route({
    method: "GET",
    path: "/v1/tasks/{ref}/logs",
    query,
    answer: "application/octet-stream",
    summary:
      "A task's output, as bytes. By a name: the newest attempt, also one that is over. `x-orch-log: tail` says " +
      "that only the last 4 KiB are left. An answer whose connection breaks off (curl: exit 18 or 56) is not " +
      "whole: ask again. What waits has none: 409 `conflict` says why",
    async handle({ api, params, query: wish, who, touch, link, request }) {
      const meant = meantBy(api.store, params.ref, who);
      const { run, element } = meant;
      touch(meant, `the output of ${meant.task === null ? params.ref : fullName(meant.task)}`);
      const tasks = tasksOf(api.store, wish.attempt === undefined ? meant : { ...meant, attempt: wish.attempt });
      // A node that took no element back has none of its output.
      const task =
        element === null ? tasks[0] : (tasks.find(({ observed }) => observed.state !== "rejected") ?? tasks[0]);
      if (task === undefined || (wish.follow !== true && waitsToBegin(task))) {
        if (task === undefined && run !== null && element !== null) {
          if (elementAt(api.store, run, element).state === "cancelled") {
            const over = sayNeverBegan(params.ref, overOfRun(run, lookOf(api, who)));
            throw new RefusedError("conflict", over, overHint(String(run.run), false));
          }
        }
        const [waiting] = pendingOf(api, who, ({ owner_uid }) => owner_uid === meant.owner_uid);
        const own = task === undefined ? null : reasonOf(task, lookOf(api, who));
        const none = element === null || isFinal(run?.state ?? "failed") ? "it was never started" : BEHIND_OTHERS;
        const why = own ?? waiting?.view().reason ?? (task === undefined ? none : "it begins");
        throw new RefusedError("conflict", `${params.ref} has no output yet: ${why}`, "orch explain says more");
      }
      if (task.observed.state === "rejected") {
        const why = reasonOf(task, lookOf(api, who));
        const asked = task.run === null ? taskName(task) : String(task.run);
        throw new RefusedError("conflict", sayNeverBegan(fullName(task), why), overHint(asked, false));
      }
      const release = api.quotas.take("logs", who.name, link.source);
      try {
        link.keepOpen();
        const answer = await logOf(api, task, {
          stream: wish.stream ?? "stdout",
          follow: wish.follow ?? false,
          tail_lines: wish.tail ?? null,
          times: wish.times ?? false,
          offset: wish.offset ?? 0,
          element: element === null ? null : meant.slot,
          gone: request.signal,
          since_age_ms: wish.since_ms === undefined ? null : Math.max(0, api.store.now() - wish.since_ms),
        });
        const { body, headers } = answer;
        if (body === null) throw new RefusedError("unavailable", `the output of ${params.ref} has no bytes`);
        return new Response(api.longAnswers.keep(body, { release, holds: () => api.auth.holds(who) }), { headers });
      } catch (error) {
        release();
        throw error;
      }
    },
  }),
];
