// `orch __complete COMMAND`: the names that a shell's completion offers for a command's operand, one a line. Hidden, as
// only the scripts of `orch completion` call it. It never asks, never complains, and is quick or silent.

import { pause } from "../../os/clock";
import type { Client } from "../../wire/client";
import type { Context } from "../context";
import type { CommandEntry } from "../frame/command";
import { SHELLS } from "../frame/completion";

/** How long the server may take. Whoever presses Tab does not wait. */
const MOST_MS = 100;
/** The most names of one kind. A shell shows no more of them sensibly. */
const MOST_NAMES = 200;

type Source = (client: Client) => Promise<readonly string[]>;

const nodes: Source = async (client) => (await client.nodes()).nodes.map(({ name }) => name);
const apps: Source = async (client) => (await client.apps()).apps.map(({ name }) => name);
const workloads: Source = async (client) =>
  (await client.apps()).apps.flatMap((app) => app.workloads.map(({ name }) => `${app.name}.${name}`));
const jobs: Source = async (client) =>
  (await client.apps()).apps.flatMap((app) =>
    app.workloads.filter(({ kind }) => kind === "job").map(({ name }) => `${app.name}.${name}`),
  );
const runs: Source = async (client) => (await client.runs({ limit: MOST_NAMES })).runs.map(({ run }) => String(run));
const tasks: Source = async (client) => (await client.tasks({ limit: MOST_NAMES })).tasks.map(({ name }) => name);
const users: Source = async (client) => (await client.users()).users.map(({ name }) => name);

/** What the words of an operand's name stand for, as in `<TASK|WORKLOAD|RUN>`. */
const SOURCES: Readonly<Record<string, Source>> = {
  NODE: nodes,
  APP: apps,
  WORKLOAD: workloads,
  "APP.WORKLOAD": workloads,
  "APP.WORKLOAD=N": workloads,
  "APP.JOB": jobs,
  RUN: runs,
  TASK: tasks,
  USER: users,
};

/** Prints the names for the command's operand. Always succeeds, with nothing where there is nothing to offer. */
export async function complete(context: Context, table: readonly CommandEntry[], command: string): Promise<void> {
  // fish passes what stands first, which may be an operand already.
  const entry = table.find(({ name }) => name === command) ?? table.find(({ name }) => name === command.split(" ")[0]);
  const names = entry === undefined ? [] : await namesFor(context, table, entry);
  for (const name of new Set(names)) context.print(name);
}

async function namesFor(context: Context, table: readonly CommandEntry[], entry: CommandEntry): Promise<string[]> {
  if (entry.name === "completion") return [...SHELLS];
  const { operands } = await entry.load();
  const isOfUsers = entry.name.startsWith("user ") && entry.name !== "user add";
  const kinds =
    entry.name === "run" ? ["APP.JOB"] : operands.flatMap((one) => one.replace(/[<>[\]]|\.\.\./g, "").split("|"));
  const sources = [...new Set(kinds.map((kind) => (isOfUsers && kind === "NAME" ? users : SOURCES[kind])))];
  const known = sources.filter((source) => source !== undefined);
  if (known.length === 0) return [];
  const over = new AbortController();
  const asked = Promise.allSettled(known.map(async (source) => source(await context.client())));
  const answers = await Promise.race([asked, pause(MOST_MS, over.signal).then(() => [])]);
  over.abort();
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}
