// `orch cancel`: ends runs, also those that only wait.

import { isFinal, type RunState } from "../../core/model/lifecycle";
import { fullRunName, nameFor } from "../../core/model/task";
import { overHint, sayOver } from "../../core/why/over";
import type { Client } from "../../wire/client";
import { command, flag, text } from "../frame/command";
import { CliError, EXIT, UsageError } from "../failure";
import { WITH_TASKS, workloadIn, type WorkloadNamed } from "../typed/names";
import { readRuns } from "../follow/pages";
import { complain } from "../print/complain";
import { runWhy } from "../print/runs";

export const cancel = command({
  operands: ["[RUN|NAME...]"],
  options: {
    mine: flag("--mine", "all of my runs that wait or run"),
    signal: text("--signal <S>", "with this signal instead of the job's own"),
  },
  examples: [
    ["orch cancel 123", "one run; an array with all of its elements"],
    ["orch cancel sweep", "my runs of that name"],
    ["orch cancel --mine", "all of mine"],
  ],
  async run(context, { args, flags }) {
    if (args.length === 0 && !flags.mine) {
      throw new UsageError("which run?", "Name it: orch cancel 123 (see: orch queue)");
    }
    const client = await context.client();
    const mine = flags.mine ? (await readRuns(client, { user: (await client.me()).user })).items : [];
    const runs = new Map(mine.map(({ run, state }): [number, Cancelled] => [run, { run, waits: state === "queued" }]));
    let worst: number = EXIT.done;
    for (const typed of args) {
      try {
        for (const one of await runsNamed(client, typed)) runs.set(one.run, one);
      } catch (error) {
        worst = Math.max(worst, complain(error, context.host.err));
      }
    }
    for (const { run } of waitingFirst([...runs.values()])) {
      try {
        const after = await client.cancel(run, { signal: flags.signal });
        if (after.state === "succeeded" || after.state === "failed") {
          const hint = overHint(String(after.run), after.started_ms !== null && after.array === null);
          throw new CliError(EXIT.failed, sayOver(fullRunName(after), after.state, runWhy(after)), hint);
        }
        context.print(`run ${after.run}: ${after.state === "cancelled" ? "cancelled" : "cancelling"}`);
      } catch (error) {
        // A run that has ended meanwhile must not keep the others from being cancelled.
        worst = Math.max(worst, complain(error, context.host.err));
      }
    }
    if (runs.size === 0 && worst === EXIT.done) context.note("no run of yours waits or runs");
    return worst;
  },
});

interface Cancelled {
  readonly run: number;
  readonly waits: boolean;
}

/** Sorts what waits before what runs, the newest first: nothing of it shall begin in the room that another leaves. */
const waitingFirst = (runs: readonly Cancelled[]): Cancelled[] =>
  runs.toSorted((a, b) => Number(b.waits) - Number(a.waits) || b.run - a.run);

/**
 * Returns the runs that a text means: one by its number, by a task of it, or as `app.job`; or all of the caller's own
 * with that name, since several people may use the same one.
 */
async function runsNamed(client: Client, typed: string): Promise<Cancelled[]> {
  const found = await client.names(typed, { kinds: WITH_TASKS });
  const { user: me, project: home } = await client.me();
  const user = isGivenName(typed) ? me : null;
  const own = found.filter((one) => one.kind !== "run" || user === null || one.user === user);
  const [other] = found;
  if (own.length === 0 && other?.run !== null) {
    const hint = `Name another's by its number: orch cancel ${other?.run}`;
    throw new CliError(EXIT.failed, `no run of yours is called ${typed}`, hint);
  }
  return own.map(({ kind, run, name, slot, state, array, ...named }) => {
    if (run === null) throw new CliError(EXIT.failed, `${typed} is no job's`, endsService(workloadIn(named), home));
    if (kind === "run" && user !== null && state !== null && isFinal(state as RunState)) {
      throw new CliError(
        EXIT.failed,
        sayOver(fullRunName({ name: typed, run }), state, null),
        `orch show ${run} says how it ended`,
      );
    }
    if (kind === "task" && (array || (slot !== null && slot > 0))) {
      throw new CliError(EXIT.failed, `${name} is a part of run ${run}`, `The whole run: orch cancel ${run}`);
    }
    return { run, waits: state === "queued" };
  });
}

function endsService({ project, app, workload }: WorkloadNamed, home: string): string {
  const name = nameFor(home, project, `${app}.${workload}`);
  return `To end the service: orch scale ${name}=0; to begin it anew: orch restart ${name}`;
}

/** Returns whether the text can be the name that somebody gave a run. */
const isGivenName = (typed: string): boolean => /^[a-z][a-z0-9-]*$/.test(typed);
