// An app's job that is run again: `orch run APP.JOB` and `orch submit APP.JOB`.

import type { InputRef } from "../../core/model/workload";
import { ApiError, type Client } from "../../wire/client";
import type { RunAnswer } from "../../wire/api/runs";
import { UsageError } from "../failure";
import { ownWorkload, type WorkloadNamed } from "../typed/names";

export interface Added {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly wait_for_nodes: boolean;
  /** What it reads from standard input, which is uploaded. */
  readonly stdin?: InputRef;
}

/** Returns whether the text is written as a job of an app is, as `recs.train` or `search/recs.train`. */
export function isJobName(text: string): boolean {
  const name = "[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?";
  return new RegExp(`^(?:${name}/)?${name}\\.${name}$`).test(text);
}

/** Throws UsageError for a number alone, which is a run's and no program's or job's. */
export function refuseNumber(typed: string, command: "run" | "submit"): void {
  if (!/^\d+$/.test(typed)) return;
  const program = command === "run" ? `; if it is a program: orch run -- ./${typed}` : "";
  throw new UsageError(`${typed} is the number of a run`, `Run it again: orch retry ${typed}${program}`);
}

/** Makes the run. Throws UsageError where there is no such job. */
export const runJobAgain = (client: Client, typed: string, added: Added): Promise<RunAnswer> =>
  ofJob(client, typed, ({ project, app, workload }) =>
    client.runAgain(project, app, workload, { ...added, args: [...added.args] }),
  );

/** Asks for something of a job. Throws UsageError where there is no such job, since a program may have been meant. */
export async function ofJob<T>(client: Client, typed: string, ask: (job: WorkloadNamed) => Promise<T>): Promise<T> {
  try {
    return await ask(await ownWorkload(client, typed));
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "not_found") throw error;
    const program = `if it is a program: orch run -- ./${typed}`;
    throw new UsageError(error.message, error.hint === null ? program : `${error.hint}; ${program}`);
  }
}
