// What must be true when everything has healed: every acknowledged change is there, once; no job began twice; every
// exit code is the process's own; every log is whole; never two of an exclusive service.

import { existsSync, readFileSync } from "node:fs";
import type { RunView } from "../../src/wire/api/runs";
import type { Client } from "../../src/wire/client";
import { livingTask } from "../../test/support/cluster";
import { waitUntil } from "../../test/support/wait";
import type { Field } from "./field";
import type { AskedJob, Book } from "./writers";

const SETTLED_MS = 240_000;

export interface Verdict {
  readonly asked: number;
  readonly acknowledged: number;
  readonly lost: string[];
  readonly twice: string[];
  readonly wrong: string[];
  /** Jobs whose end nobody could know, as orch said: their keeper or their records were killed. */
  readonly unknown: number;
  readonly logs: number;
}

async function allRuns(client: Client): Promise<RunView[]> {
  const all: RunView[] = [];
  for (let next: string | null | undefined; next !== null;) {
    const query = { all: true, limit: 500, ...(next === undefined ? {} : { next }) };
    const page: { runs: RunView[]; next: string | null } = await client.runs(query);
    all.push(...page.runs);
    next = page.next;
  }
  return all;
}

/**
 * Waits until every run has ended. Runs that ask a person are answered, as a person would: their end is accepted.
 * Throws with the attempts of those that do not end.
 */
async function ended(client: Client, book: Book, unknown: Set<number>): Promise<RunView[]> {
  let living: RunView[] = [];
  try {
    return await waitUntil(
      "all runs to end",
      async () => {
        const mine = (await allRuns(client)).filter(({ name }) => book.jobs.has(name));
        living = mine.filter(({ finished_ms }) => finished_ms === null);
        for (const { run, name } of living) {
          const { tasks } = await client.runInfo(run);
          const asks = tasks.some(({ state }) => state === "unknown");
          if (asks) unknown.add(run);
          if (asks || book.jobs.get(name)?.cancel === "asked") await client.cancel(run);
        }
        return living.length === 0 ? mine : null;
      },
      SETTLED_MS,
    );
  } catch (error) {
    const told = living.slice(0, 5).map(async (run) => `${run.name} ${run.state} ${await attempts(client, run)}`);
    const nodes = (await client.nodes()).nodes.map(({ name, state, reason }) => `${name} ${state} ${reason ?? ""}`);
    const words = [`${living.length} runs do not end`, ...(await Promise.all(told)), ...nodes];
    throw new Error(words.join("\n  "), { cause: error });
  }
}

interface Notes {
  readonly begun: ReadonlyMap<string, number>;
  readonly codes: ReadonlyMap<string, number>;
}

function notesOf(file: string): Notes {
  const begun = new Map<string, number>();
  const codes = new Map<string, number>();
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  for (const line of text.split("\n")) {
    const [word, name = "", code] = line.split(" ");
    if (word === "begin") begun.set(name, (begun.get(name) ?? 0) + 1);
    if (word === "end") codes.set(name, Number(code));
  }
  return { begun, codes };
}

/** Returns what is wrong with the end of one run, in words. */
function wrongEnd(run: RunView, asked: AskedJob, { codes, begun }: Notes, isUnknown: boolean): string | null {
  const told = `${run.name} (run ${run.run}) is ${run.state}, exit ${run.exit_code}: `;
  const own = codes.get(run.name);
  if (asked.cancel === "acknowledged" && run.state !== "cancelled" && own === undefined) {
    return `${told}its cancel was acknowledged `;
  }
  if (run.exit_code !== null && run.exit_code !== own && run.state !== "cancelled")
    return `${told}it ended with ${own}`;
  if (run.state === "succeeded" && own !== 0) return `${told}it ended with ${own}`;
  if (isUnknown || run.state === "cancelled") return null;
  if (!begun.has(run.name)) return `${told}it never began`;
  if (run.exit_code === null) return `${told}nobody killed it, and no code is told (${run.reason})`;
  return null;
}

const wholeLog = ({ name, lines }: AskedJob): string =>
  Array.from({ length: lines }, (_, i) => `line ${i + 1} of ${name}\n`).join("");

async function logOf(client: Client, run: RunView): Promise<string> {
  const { tasks } = await client.runInfo(run.run);
  const ref = tasks.at(-1)?.name ?? run.name;
  const { bytes } = await client.logs(ref, { stream: "stdout" });
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of bytes) text += decoder.decode(chunk, { stream: true });
  return text;
}

/** Reads the attempts of the exclusive service in the order in which they wrote: none writes after its successor. */
export function overlaps(file: string): string[] {
  const found: string[] = [];
  const over = new Set<string>();
  let now: string | null = null;
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  for (const uid of lines) {
    if (uid === now) continue;
    if (over.has(uid)) found.push(`exclusive ${uid} wrote after ${now} had begun`);
    if (now !== null) over.add(now);
    now = uid;
  }
  return found;
}

async function wantedStates(client: Client, field: Field, book: Book): Promise<string[]> {
  const wrong: string[] = [];
  const { replicas } = await client.workload("default", "keep", "web");
  if (!book.replicas.possible.includes(replicas)) {
    wrong.push(`keep.web has ${replicas} replicas, asked were ${book.replicas.possible.join(" or ")}`);
  }
  await field.cluster.until(
    "the service to be whole",
    (tasks) =>
      tasks.filter(({ app, workload, state, desired }) => {
        return app === "keep" && workload === "web" && state === "running" && desired === "run";
      }).length === replicas && livingTask(tasks, "keep.solo.0") !== undefined,
    90_000,
  );
  const { apps } = await client.apps();
  for (const [lane, { possible }] of book.apps.entries()) {
    const there = apps.some(({ name }) => name === `lane${lane}`);
    if (!possible.includes(there)) wrong.push(`app lane${lane} is ${there ? "there" : "not there"}`);
  }
  return wrong;
}

/** Returns the attempts of a run in words, for the report of what is wrong with it. */
async function attempts(client: Client, { run }: RunView): Promise<string> {
  const { tasks, cause } = await client.runInfo(run);
  const told = tasks.map(({ name, node, state, signal, reason }) => [name, node, state, signal, reason].join(" "));
  return `[${cause ?? "no cause"}; ${told.join("; ")}]`;
}

/** Checks everything. Throws only where the cluster does not come to rest. */
export async function audit(field: Field, book: Book, files: { notes: string; solo: string }): Promise<Verdict> {
  const client = field.cluster.client();
  const unknown = new Set<number>();
  const runs = await ended(client, book, unknown);
  const wrong = await wantedStates(client, field, book);
  const notes = notesOf(files.notes);
  const byName = Map.groupBy(runs, ({ name }) => name);
  const lost: string[] = [];
  const twice = overlaps(files.solo);
  for (const [name, same] of byName) {
    if (same.length > 1) twice.push(`${name} is ${same.length} runs`);
    const begun = notes.begun.get(name) ?? 0;
    if (begun > 1) twice.push(`${name} began ${begun} times`);
  }
  let logs = 0;
  for (const asked of book.jobs.values()) {
    const run = byName.get(asked.name)?.[0];
    if (run === undefined) {
      if (asked.run !== null) lost.push(`${asked.name}, acknowledged as run ${asked.run}, is gone`);
      continue;
    }
    if (asked.run !== null && run.run !== asked.run)
      lost.push(`${asked.name}: acknowledged ${asked.run}, is ${run.run}`);
    const end = wrongEnd(run, asked, notes, unknown.has(run.run));
    if (end !== null) wrong.push(`${end} ${await attempts(client, run)}`);
    if (run.exit_code === null || unknown.has(run.run)) continue;
    logs++;
    const log = await logOf(client, run);
    if (log !== wholeLog(asked)) wrong.push(`the log of ${asked.name} is not whole: ${JSON.stringify(log.slice(-80))}`);
  }
  return { asked: book.jobs.size, acknowledged: book.acknowledged, lost, twice, wrong, unknown: unknown.size, logs };
}
