// Measures what the design promises and prints it beside its goal, with the machine it was measured on. Never a test: a
// busy machine gives other numbers. `bun run bench [--only NAME[,NAME]] [--runs N] [--list] [--write]`; --write puts
// the table into docs/performance.md.

import { cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import type { Bench, Row } from "./bench/figure";
import { arrays } from "./bench/arrays";
import { besideSubmits } from "./bench/beside";
import { first } from "./bench/first";
import { many } from "./bench/instances";
import { machine as ofMachine } from "./bench/machine";
import { latency } from "./bench/latency";
import { laws } from "./bench/laws";
import { falseAlarms, loss } from "./bench/loss";
import { memory } from "./bench/memory";
import { planning } from "./bench/planning";
import { reads } from "./bench/reads";
import { reconnect } from "./bench/reconnect";
import { memorySlope } from "./bench/slope";
import { start } from "./bench/start";
import { throughput } from "./bench/throughput";

const BENCHES: readonly Bench[] = [
  ofMachine,
  start,
  first,
  many,
  planning,
  laws,
  latency,
  throughput,
  arrays,
  reads,
  besideSubmits,
  memory,
  loss,
  reconnect,
  memorySlope,
  falseAlarms,
];

function flag(name: string): string | null {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? null : (process.argv[at + 1] ?? "");
}

function machine(): string {
  const [first] = cpus();
  const memoryGib = (totalmem() / 2 ** 30).toFixed(0);
  const cpu = `${cpus().length} × ${first?.model ?? "unknown CPU"}`;
  return `${cpu}, ${memoryGib} GiB, ${type()} ${release()}, Bun ${Bun.version}`;
}

const PAGE = join(import.meta.dir, "..", "docs", "performance.md");
const MARKS = { begin: "<!-- the table of `bun run bench --write` -->", end: "<!-- end of the table -->" } as const;

/** Puts the table between the marks of the page. */
async function write(rows: readonly Row[], note: string): Promise<void> {
  const page = await Bun.file(PAGE).text();
  const [begin, end] = [page.indexOf(MARKS.begin), page.indexOf(MARKS.end)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE} has no place for the table`);
  const lines = rows.map(({ figure, value, goal, verdict }) => `| ${[figure, value, goal, verdict].join(" | ")} |`);
  const head = ["| figure | measured | goal | |", "| --- | --- | --- | --- |"];
  const text = [MARKS.begin, "", note, "", ...head, ...lines, "", ""].join("\n");
  await Bun.write(PAGE, page.slice(0, begin) + text + page.slice(end));
}

function table(rows: readonly Row[]): string {
  const cells = rows.map(({ figure, value, goal, verdict }) => [figure, value, goal, verdict]);
  const all = [["figure", "measured", "goal", ""], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((line) => (line[column] ?? "").length)));
  const padded = (cell: string, column: number): string =>
    column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return all.map((line) => line.map(padded).join("   ").trimEnd()).join("\n");
}

if (process.argv.includes("--list")) {
  for (const { name, about } of BENCHES) console.log(`${name.padEnd(12)} ${about}`);
} else {
  const only = flag("only")?.split(",") ?? null;
  const unknown = only?.find((name) => !BENCHES.some((bench) => bench.name === name));
  if (unknown !== undefined) throw new Error(`no bench is called ${unknown}: see --list`);
  const runs = Number(flag("runs") ?? 3);
  const rows: Row[] = [];
  for (const bench of BENCHES.filter(({ name, named }) => only?.includes(name) ?? named !== true)) {
    console.log(`… ${bench.name}: ${bench.about}`);
    rows.push(...(await bench.measure({ runs, say: (line) => console.log(`  ${line}`) })));
  }
  const note = `${machine()}; medians of ${runs} runs; server, agents, jobs and the one who submits share the machine`;
  console.log(`\n${note}\n\n${table(rows)}`);
  if (process.argv.includes("--write")) await write(rows, note);
}
