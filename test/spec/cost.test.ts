// The time of parsing grows with the length of a text and not with what is wrong in it: the server's loop parses, so a
// hostile text must not hold it up.

import { beforeAll, expect, test } from "bun:test";
import { parseApp, parseJob } from "../../src/spec/parse";

const word = (n: number, length: number): string =>
  `${n.toString(36)}abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr`.slice(0, length);
const times = (count: number, line: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => line(n)).join("");
const jobs = times(200, (n) => `  w${word(n, 30)}: { run: a }\n`);
const strangers = Array.from({ length: 4_000 }, (_, n) => `x${word(n, 31)}`).join(", ");

const chained = (n: number): string => `  ${word(n, 6)}: { run: a, after: ${word(n + 1, 6)} }\n`;
const SLIPS = "{ runn: a, comand: b, shel: c, ressources: d }";

/** Texts that cost as much as their length lets them, each of at most 150 KB. */
const HOSTILE: Readonly<Record<string, string>> = {
  "unknown keys at the top": `app: a\n${times(4_900, (n) => `${word(n, 8)}: 1\n`)}`,
  "unknown keys of a workload": `app: a\njobs:\n  x:\n    run: a\n${times(4_900, (n) => `    ${word(n, 9)}: 1\n`)}`,
  "unknown keys of many workloads": `app: a\njobs:\n${times(400, (n) => `  ${word(n, 8)}: ${SLIPS}\n`)}`,
  "neighbours that are none": `app: a\njobs:\n${jobs}  x: { run: a, place: { together_with: [${strangers}] } }\n`,
  "jobs before it that are none": `app: a\njobs:\n${jobs}  x: { run: a, after: [${strangers}] }\n`,
  "many jobs in a row": `app: a\njobs:\n${times(1_200, chained)}`,
  "keys that are given twice": `app: a\n${"k: 1\n".repeat(9_000)}`,
  "errors of YAML": `app: a\n${"}\n".repeat(9_000)}`,
  "escapes that are none": `app: a\nx: "${"\\q".repeat(30_000)}"\n`,
  "nothing but comments": `app: a\n${"# x\n".repeat(30_000)}`,
  anchors: `app: a\n${times(6_000, (n) => `&a${n} k${n}: 1\n`)}`,
};

/** Returns the time of this process for some work, in milliseconds. Other processes of the machine do not count. */
function cost(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

const variable = (n: number): string => `      A${word(n, 60).toUpperCase()}: "${word(n, 40)}"\n`;
const PLAIN = `app: a\njobs:\n  x:\n    run: a\n    env:\n${times(900, variable)}`;
let plain_ms = 0;
beforeAll(() => {
  for (let n = 0; n < 3; n++) parseApp(PLAIN, "a.yaml");
  plain_ms = Math.max(...[1, 2, 3].map(() => cost(() => parseApp(PLAIN, "a.yaml"))), 20);
});

test.each(Object.entries(HOSTILE))("%s", (_what, text) => {
  expect(text.length).toBeLessThan(160_000);
  const spent = Math.min(...[1, 2].map(() => cost(() => parseApp(text, "a.yaml"))));
  expect(spent).toBeLessThan(12 * plain_ms + 200);
});

test("a job that came as an object", () => {
  const keys = Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [word(n, 30), 1]));
  const spent = Math.min(...[keys, { run: "a", env: keys }].map((job) => cost(() => parseJob(job, "x"))));
  expect(spent).toBeLessThan(12 * plain_ms + 200);
});
