// Writes the pages that are made from the code: `bun run docs`. With --check it only says which are stale; the tests do
// the same through `generatedDocs`, so that no page can differ from what the program does.

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cliReference } from "../src/cli/frame/reference";
import { TABLE } from "../src/cli/table";
import { HOUSE_LIMITS, QUOTAS } from "../src/core/limits";
import { FINDINGS } from "../src/core/model/findings";
import { nodeState, RUN, TASK } from "../src/core/model/lifecycle";
import { VARIABLES } from "../src/core/model/variables";
import { specReference } from "../src/spec/reference";
import { specJsonSchema } from "../src/spec/schema/schema";
import { apiPage } from "./docs/api";

const ROOT = join(import.meta.dir, "..");
const NOTICE = "<!-- Made by `bun run docs` from the code; don't edit it here. -->";

type Rules = Readonly<
  Record<
    string,
    {
      readonly rank: number;
      readonly owner: string | null;
      readonly to: readonly string[];
      readonly meaning: string;
    }
  >
>;

function stateTable(rules: Rules): string {
  const rows = Object.entries(rules).map(([state, { owner, meaning, to }]) => {
    const next = to.map((one) => `\`${one}\``).join(" ");
    return `| \`${state}\` | ${meaning} | ${owner === null ? "final" : `the ${owner}`} | ${next} |`;
  });
  return ["| state | meaning | who moves it on | may become |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** Only moves to the next rank and the ends are drawn: the table has them all. */
function stateDiagram(rules: Rules): string {
  const states = Object.entries(rules);
  const first = states.find(([, { rank }]) => rank === 0)?.[0] ?? "";
  const lines = states.flatMap(([state, { rank, to }]) =>
    to
      .filter((next) => (rules[next]?.rank ?? 0) === rank + 1 || (state === first && rules[next]?.to.length === 0))
      .map((next) => `    ${state} --> ${next}`),
  );
  const ends = states.filter(([, { to }]) => to.length === 0).map(([state]) => `    ${state} --> [*]`);
  return ["```mermaid", "stateDiagram-v2", `    [*] --> ${first}`, ...lines, ...ends, "```"].join("\n");
}

function nodeTable(): string {
  const rows: string[] = [];
  for (const contact of ["connected", "unreachable", "lost"] as const) {
    const known = ["joining", "testing", "quarantined", "ready"] as const;
    const admissions = contact === "connected" ? known : (["any"] as const);
    for (const admission of admissions) {
      const intents = admission === "ready" ? (["schedulable", "draining"] as const) : (["any"] as const);
      for (const intent of intents) {
        for (const busy of intent === "draining" ? [true, false] : [null]) {
          const state = nodeState(
            admission === "any" ? "ready" : admission,
            intent === "any" ? "schedulable" : intent,
            contact,
            busy ?? false,
          );
          const tasks = busy === null ? "any" : busy ? "yes" : "no";
          rows.push(`| ${contact} | ${admission} | ${intent} | ${tasks} | \`${state}\` |`);
        }
      }
    }
  }
  const head = ["| contact | admission | intent | has tasks | shown as |", "| --- | --- | --- | --- | --- |"];
  return [...head, ...rows].join("\n");
}

function lifecyclePage(): string {
  return [
    NOTICE,
    "",
    "# States",
    "",
    "States of work only move forward: every move rises in rank, a final state stays, and a report may skip",
    "states. Of two observations of one task the one of the higher rank is the newer one, whatever order they come in.",
    "",
    "## Task: one attempt of one slot on one node",
    "",
    "A task is never restarted: it is replaced by the next attempt of its slot. What waits for room is a slot, not yet",
    "a task; `orch ps` shows it as `pending`, and so an attempt that its agent holds back after a crash. The run of",
    "such a slot is `queued`, or `waiting` where it comes after others: `orch runs` and `orch queue` show the run.",
    "",
    stateTable(TASK),
    "",
    stateDiagram(TASK),
    "",
    "## Run: one execution of a job",
    "",
    stateTable(RUN),
    "",
    stateDiagram(RUN),
    "",
    "## Node: three facts, one shown state",
    "",
    "Each fact has one writer: *contact* the server (how long the node has been silent), *admission* the node's tests,",
    "*intent* people (`orch node drain`, `resume`). What is shown is a function of the three. While a node is silent",
    "its tasks keep the last state that they reported.",
    "",
    nodeTable(),
    "",
  ].join("\n");
}

function findingsPage(): string {
  const rows = Object.entries(FINDINGS).map(([key, { class: kind, means, running }]) => {
    const work = kind !== "quarantine" ? "" : running === "stop" ? "ended" : "left alone";
    return `| \`${key}\` | ${means} | ${kind} | ${work} |`;
  });
  return [
    NOTICE,
    "",
    "# Findings",
    "",
    "What can be wrong with a card, and what is done about it: see [cards that can be trusted](../gpu-health.md).",
    "XIDs follow NVIDIA's catalogue; those that are not here are `watch`.",
    "",
    "| finding | what it means | class | running work |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

const counted = (count: number): string => count.toLocaleString("en");

function boundsPage(): string {
  const quotas = Object.values(QUOTAS).map(
    ({ noun, each, source, all }) =>
      `| ${noun} | ${[each, source, all].map((n) => (n === null ? "—" : counted(n))).join(" | ")} |`,
  );
  const bounds = Object.entries(HOUSE_LIMITS).map(([name, most]) => `| \`${name}\` | ${counted(most)} |`);
  return [
    NOTICE,
    "",
    "# Bounds",
    "",
    "What one principal, one address and all together may use of a server at once. Beyond it a request is",
    "answered with 429 and `Retry-After`. Of connections that have yet to prove who they are, the oldest of the",
    "same address, or else of all, makes way for the next one.",
    "",
    "| of | a principal | an address | all |",
    "| --- | --- | --- | --- |",
    ...quotas,
    "",
    "What comes in is held to these bounds before anything is made of it; the others bound what is kept and",
    "granted. In a message between agent and server a longer text is cut, and an entry that cannot be read is left",
    "out and said by name; the connection stays.",
    "",
    "| bound | most |",
    "| --- | --- |",
    ...bounds,
    "",
  ].join("\n");
}

function environmentPage(): string {
  const rows = Object.entries(VARIABLES).map(([name, { when, means }]) => `| \`${name}\` | ${means} | ${when} |`);
  return [
    NOTICE,
    "",
    "# What a task finds in its environment",
    "",
    "These variables and those of the workload's own `env`, and nothing of the agent's environment. The workload's own",
    "replace what a login sets (`PATH` to `LANG`) and none of the others. `<NAME>` (of a port) and `<WORKLOAD>` are in",
    "capitals with `_` for `-`. A shell adds variables of its own, such as `PWD`.",
    "",
    "| variable | what it holds | when |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

/** Every generated page, by its path. */
export async function generatedDocs(): Promise<Record<string, string>> {
  return {
    "docs/lifecycle.md": lifecyclePage(),
    "docs/reference/findings.md": findingsPage(),
    "docs/reference/environment.md": environmentPage(),
    "docs/reference/bounds.md": boundsPage(),
    "docs/reference/api.md": `${NOTICE}\n\n${await apiPage()}`,
    "docs/reference/cli.md": `${NOTICE}\n\n${await cliReference(TABLE)}`,
    "docs/reference/spec.md": `${NOTICE}\n\n${specReference().trimEnd()}\n`,
    "docs/reference/spec.schema.json": `${JSON.stringify(specJsonSchema(), null, 2)}\n`,
  };
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  let stale = 0;
  for (const [path, text] of Object.entries(await generatedDocs())) {
    const file = join(ROOT, path);
    if (existsSync(file) && (await Bun.file(file).text()) === text) continue;
    stale++;
    console.log(`${check ? "stale" : "wrote"}: ${path}`);
    if (check) continue;
    await mkdir(dirname(file), { recursive: true });
    await Bun.write(file, text);
  }
  if (stale === 0) console.log("all generated pages are fresh");
  process.exitCode = check && stale > 0 ? 1 : 0;
}
