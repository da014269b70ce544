// `orch __complete COMMAND` and `orch __complete --OPTION COMMAND`: the names that a shell's completion offers for a
// command's operand, or as an option's value, one a line. Hidden, as only the scripts of `orch completion` call it. It
// never asks, never complains, and is quick or silent.

import { pause } from "../../os/clock";
import type { Client } from "../../wire/client";
import type { Context } from "../context";
import { configDir, readContexts } from "../cluster/contexts";
import type { AnyCommand, CommandEntry, OptionDecl } from "../frame/command";
import { SHELLS } from "../frame/completion";

/** How long the server may take. A busy machine needs more than 100 ms; whoever presses Tab does not wait long. */
const MOST_MS = 1_000;
/** The most names of one kind. A shell shows no more of them sensibly. */
const MOST_NAMES = 200;

type Source = (context: Context) => Promise<readonly string[]>;

const asked =
  (read: (client: Client) => Promise<readonly string[]>): Source =>
  async (context) =>
    read(await context.client());

const nodes = asked(async (client) => (await client.nodes()).nodes.map(({ name }) => name));
const apps = asked(async (client) => (await client.apps()).apps.map(({ name }) => name));
const workloads = asked(async (client) =>
  (await client.apps()).apps.flatMap((app) => app.workloads.map(({ name }) => `${app.name}.${name}`)),
);
const jobs = asked(async (client) =>
  (await client.apps()).apps.flatMap((app) =>
    app.workloads.filter(({ kind }) => kind === "job").map(({ name }) => `${app.name}.${name}`),
  ),
);
const runs = asked(async (client) => (await client.runs({ limit: MOST_NAMES })).runs.map(({ run }) => String(run)));
/** A task that runs elements of an array is typed by its id. */
const tasks = asked(async (client) =>
  (await client.tasks({ limit: MOST_NAMES })).tasks.map(({ id, name, elements }) =>
    elements === null || id === null ? name : id.slice(0, 10),
  ),
);
const users = asked(async (client) => (await client.users()).users.map(({ name }) => name));
const tokens = asked(async (client) => (await client.tokens()).tokens.map(({ id }) => id));
/** The contexts are this person's own files. */
const contexts: Source = async ({ host }) =>
  (await readContexts(configDir(host.env, host.home), host.uid)).map(({ name }) => name);

/** What the words of an operand's or a value's name stand for, as in `<TASK|WORKLOAD|RUN>`. */
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
  ID: tokens,
};

/** Prints the names for what was typed. Always succeeds, with nothing where there is nothing to offer. */
export async function complete(
  context: Context,
  table: readonly CommandEntry[],
  typed: readonly string[],
): Promise<void> {
  const flag = typed[0]?.startsWith("-") === true ? typed[0] : null;
  const command = typed.slice(flag === null ? 0 : 1).join(" ");
  // fish passes what stands first, which may be an operand already.
  const entry = table.find(({ name }) => name === command) ?? table.find(({ name }) => name === command.split(" ")[0]);
  if (entry === undefined) return;
  const loaded = await entry.load();
  const option = Object.values(loaded.options).find(({ flags }) => flags.split(/[ ,]+/).includes(flag ?? ""));
  const names =
    flag === null
      ? await namesFor(context, operandSources(entry.name, loaded), entry.name === "completion" ? SHELLS : [])
      : option === undefined
        ? []
        : await namesFor(context, valueSources(option), option.words ?? []);
  for (const name of new Set(names)) context.print(name);
}

const kindsIn = (notation: string): string[] => notation.replace(/[<>[\]]|\.\.\./g, "").split("|");
const sourcesOf = (kinds: readonly string[]): Source[] =>
  kinds.map((kind) => SOURCES[kind]).filter((source) => source !== undefined);

function operandSources(name: string, { operands }: AnyCommand): Source[] {
  if (name === "run") return [jobs];
  const named = name.startsWith("user ") && name !== "user add" ? [users] : isOfContexts(name) ? [contexts] : [];
  return operands.flatMap(kindsIn).flatMap((kind) => (kind === "NAME" ? named : sourcesOf([kind])));
}

const isOfContexts = (name: string): boolean => name.startsWith("context ") || name === "logout";

const valueSources = ({ flags }: OptionDecl<unknown>): Source[] =>
  flags.includes("--user <") ? [users] : sourcesOf(kindsIn(/<(.*)>/.exec(flags)?.[1] ?? ""));

async function namesFor(context: Context, sources: readonly Source[], words: readonly string[]): Promise<string[]> {
  if (sources.length === 0) return [...words];
  const over = new AbortController();
  const read = Promise.allSettled([...new Set(sources)].map((source) => source(context)));
  const answers = await Promise.race([read, pause(MOST_MS, over.signal).then(() => [])]);
  over.abort();
  return [...words, ...answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []))];
}
