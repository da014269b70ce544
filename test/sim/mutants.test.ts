// Every mutant must be seen by the simulator within 300 seeds. The test prints which seed saw it, and as what.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { mutated, type Mutant } from "./mutant";
import { MUTANTS } from "./mutants";

const ROOT = join(import.meta.dir, "../..");
const SEEDS = 300;
const AT_ONCE = 2;

interface Catch {
  readonly seed: string;
  readonly worlds: string;
  readonly invariant: string;
}

/** Runs the simulator with the mutant in a process of its own. Returns null if nothing was seen. */
async function hunt(mutant: Mutant): Promise<Catch | null> {
  const argv = [
    process.execPath,
    "--preload",
    "./test/sim/mutate.ts",
    "test/sim/main.ts",
    "--mutant",
    mutant.name,
    "--seeds",
    `1..${SEEDS}`,
    "--lines",
    "0",
  ];
  const child = Bun.spawn(argv, { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
  const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const seen = /^seed (\d+) breaks: (.*)$/m.exec(out);
  const worlds = /^(\d+) worlds, .* broken/m.exec(out);
  if (worlds === null) throw new Error(`${mutant.name}: ${error.slice(-2_000)}`);
  return seen === null ? null : { seed: seen[1] ?? "", invariant: seen[2] ?? "", worlds: worlds[1] ?? "" };
}

describe("mutants", () => {
  test("are texts that occur exactly once, under names of their own", async () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    for (const mutant of MUTANTS) {
      for (const { file } of mutant.edits) {
        const text = await Bun.file(join(ROOT, file)).text();
        expect(mutated(mutant, file, text)).not.toBe(text);
      }
    }
  });

  test(`are all seen within ${SEEDS} seeds`, async () => {
    const queue = [...MUTANTS];
    const table = new Map<string, Catch | null>();
    const worker = async (): Promise<void> => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        table.set(mutant.name, await hunt(mutant));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const lines = MUTANTS.map(({ name }) => {
      const found = table.get(name) ?? null;
      return `${name.padEnd(30)} ${found === null ? "not seen" : `seed ${found.seed.padStart(3)}  ${found.invariant}`}`;
    });
    console.log(lines.join("\n"));
    expect(MUTANTS.filter(({ name }) => (table.get(name) ?? null) === null).map(({ name }) => name)).toEqual([]);
  }, 1_500_000);
});
