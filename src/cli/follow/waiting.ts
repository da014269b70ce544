// `orch apply --wait`: follows an app until every service is up and every run has succeeded, or until one of them is
// stuck.

import { bootMs, pause } from "../../os/clock";
import type { BlockedView } from "../../wire/api/plans";
import type { TaskView } from "../../wire/api/tasks";
import { ApiError, type Client } from "../../wire/client";
import type { OutputShape } from "../frame/command";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { clean } from "../print/clean";
import { readRuns, readTasks } from "./pages";
import { progressOf, type Line, type SeenApp } from "./progress";
import { unlessAway, withoutTimes } from "./watching";

const LOOK_MS = 300;

/** How long new tasks must stay up before they count. A task may crash right after its start. */
const STEADY_MS = 1_200;

interface Applied {
  readonly project: string;
  readonly app: string;
  readonly runs: readonly number[];
}

export async function waitForApp(
  context: Context,
  client: Client,
  applied: Applied,
  shape: OutputShape,
): Promise<number> {
  const said = new Map<string, string>();
  const isSteady = steadiness();
  for (;;) {
    const seen = await unlessAway(() => look(context, client, applied));
    if (seen !== null) {
      const lines = progressOf(seen);
      if (shape === "text") sayChanges(context, lines, said);
      if (lines.some(({ state }) => state === "stuck"))
        return end(context, applied, { lines, seen }, shape, EXIT.failed);
      const done = lines.every(({ state }) => state === "done");
      if (isSteady(done ? seen.tasks.map(({ id }) => id).join() : null)) {
        return end(context, applied, { lines, seen }, shape, EXIT.done);
      }
    }
    await pause(LOOK_MS);
  }
}

/**
 * Returns a function that tells whether the same sign of success was seen for `STEADY_MS`. An empty sign means no
 * tasks, and counts at once.
 */
function steadiness(): (sign: string | null) => boolean {
  let before: string | null = null;
  let since_ms = 0;
  return (sign) => {
    if (sign !== before) [before, since_ms] = [sign, bootMs()];
    return sign === "" || (sign !== null && bootMs() - since_ms >= STEADY_MS);
  };
}

async function look(context: Context, client: Client, { project, app, runs }: Applied): Promise<SeenApp> {
  const [detail, listed, living, ...made] = await Promise.all([
    client.app(project, app),
    readTasks(client, { app: `${project}/${app}` }),
    readRuns(client, {}),
    ...runs.map((run) => client.runInfo(run)),
  ]);
  // Runs of an earlier apply are its own matter, but for those that no node can run: the app is stuck, whoever asks.
  const stuck = living.items.filter(
    (run) => run.app === app && run.project === project && !runs.includes(run.run) && run.blocked === "unsatisfiable",
  );
  return {
    workloads: detail.workloads,
    tasks: listed.items,
    runs: [...made, ...stuck],
    blocked: await blockedOf(client, listed.items),
    now_ms: context.now(),
  };
}

/** Returns why the first waiting slot of each workload waits. */
async function blockedOf(client: Client, tasks: readonly TaskView[]): Promise<BlockedView[]> {
  const first = new Map(
    tasks
      .filter(({ state }) => state === "pending")
      .toReversed()
      .map((task) => [task.workload, task.name]),
  );
  const views = await Promise.all(
    [...first.values()].map(async (name) => {
      try {
        return await client.explain(name);
      } catch (error) {
        // The slot was placed or removed between the two requests.
        if (error instanceof ApiError && (error.code === "not_found" || error.code === "conflict")) return null;
        throw error;
      }
    }),
  );
  return views.filter((view) => view !== null && !("placed" in view)) as BlockedView[];
}

function sayChanges(context: Context, lines: readonly Line[], said: Map<string, string>): void {
  for (const { name, state, detail } of lines) {
    const news = withoutTimes(detail);
    if (said.get(name) === news) continue;
    said.set(name, news);
    const { style } = context;
    const paint = { done: style.green, going: style.yellow, stuck: style.red }[state];
    context.say(`${clean(name)}: ${paint(clean(detail))}`);
  }
}

interface Ending {
  readonly lines: readonly Line[];
  readonly seen: SeenApp;
}

function end(context: Context, applied: Applied, { lines, seen }: Ending, shape: OutputShape, code: number): number {
  if (shape === "json") context.json({ ...applied, done: code === EXIT.done, progress: lines });
  if (code !== EXIT.done && shape === "text") {
    const stuck = lines.filter(({ state }) => state === "stuck");
    const titles = stuck.map((line) => titleOf(applied.app, line));
    const run = stuck[0]?.run ?? null;
    const of = run === null ? (titles[0] ?? applied.app) : String(run);
    // What never began, and an array as a whole, has no output.
    const own = seen.runs.find((one) => one.run === run);
    const logs = own === undefined || (own.started_ms !== null && own.array === null) ? `, orch logs ${of}` : "";
    const see = clean(`${run === null ? "orch explain" : "orch show"} ${of}${logs}`);
    context.note(`orch: ${clean(titles.join(", "))} cannot go on. See why: ${see}`);
  }
  return code;
}

/** Returns the title of a line. A run's own name, such as `run 7 (recs.prep)`, needs no app before it. */
const titleOf = (app: string, { name, run }: Line): string => (run === null ? `${app}.${name}` : name);
