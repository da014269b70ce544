// Everything that must hold before a change is taken: types, lint, the binary, and all tests, streamed as they run.
// The last line is the sum, `N passed, N failed, N skipped`; types, lint and the build count as one test each.
// `bun run test PATH…` runs only the tests whose paths hold one of the words, after the same checks.

import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const BUN = process.execPath;
const TEST_TIMEOUT_MS = 60_000;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Ended {
  readonly code: number;
  readonly text: string;
}

/** Passes a stream on as its chunks arrive and returns its whole text. */
async function tee(from: ReadableStream<Uint8Array>, to: NodeJS.WriteStream): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of from) {
    to.write(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Returns the user's environment without settings of orch, and without colours, which would hide the counts. */
function cleanEnv(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !/^ORCH_(?!SEED$)|^FORCE_COLOR$/.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: "1" };
}

async function run(title: string, argv: readonly string[]): Promise<Ended> {
  console.log(`\n== ${title}`);
  const child = Bun.spawn([...argv], { cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnv() });
  const [out, err, code] = await Promise.all([
    tee(child.stdout, process.stdout),
    tee(child.stderr, process.stderr),
    child.exited,
  ]);
  return { code, text: out + err };
}

/** Runs one step, which passes or fails as a whole, and returns its counts. */
async function step(title: string, argv: readonly string[]): Promise<Counts> {
  const started = performance.now();
  const { code } = await run(title, argv);
  console.log(`${code === 0 ? "ok" : `FAILED (exit ${code})`}: ${title}, ${seconds(started)}`);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

const seconds = (started: number): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;

/** Returns the number before a word in a summary of `bun test`, or 0 if the summary has no such line. */
const counted = (summary: string, word: string): number =>
  Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(summary)?.[1] ?? 0);

async function tests(filters: readonly string[]): Promise<Counts> {
  const started = performance.now();
  const { code, text } = await run("tests", [BUN, "test", "--timeout", `${TEST_TIMEOUT_MS}`, ...filters]);
  // The summary begins at the last line that counts what passed: tests may print such lines too.
  const summary = text.slice([...text.matchAll(/^ *\d+ pass$/gm)].at(-1)?.index ?? text.length);
  const counts = {
    passed: counted(summary, "pass"),
    failed: counted(summary, "fail"),
    skipped: counted(summary, "skip") + counted(summary, "todo"),
  };
  console.log(`${code === 0 ? "ok" : `FAILED (exit ${code})`}: tests, ${seconds(started)}`);
  // A file that cannot be loaded, or a runner that crashed, fails no single test. It still counts as one failure.
  if (code !== 0 && counts.failed === 0) return { ...counts, failed: 1 };
  if (counts.passed + counts.failed === 0) {
    console.log("no test ran");
    return { ...counts, failed: 1 };
  }
  return counts;
}

const filters = process.argv.slice(2);
const sum = { passed: 0, failed: 0, skipped: 0 };
const add = (counts: Counts): void => {
  sum.passed += counts.passed;
  sum.failed += counts.failed;
  sum.skipped += counts.skipped;
};
add(await step("types", [BUN, "check", "--no-script"]));
add(await step("lint", [BUN, "run", "--silent", "lint"]));
add(await step("build", [BUN, "scripts/build.ts"]));
add(await tests(filters));
console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;
