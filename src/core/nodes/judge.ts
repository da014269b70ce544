// Judges a node's tests: what failed, and what is slower than the same machine was before, or than twins of it are.

import { shortDevice } from "../cards/gpu";
import { formatAge } from "../format";
import type { NodeRow } from "../model/rows-node";
import type { JudgedResult, NodeTesting, NodeTests, TestResult } from "../model/node-tests";
import type { Ms } from "../units";

/** The built-in tests, and how a slower result is worded: `writes 40 % slower than n2`. */
export const BUILT_IN: Readonly<Record<string, string>> = {
  cpu: "computes",
  memory: "copies memory",
  disk_write: "writes",
  disk_read: "reads",
  disk_sync: "syncs",
  filesystem: "",
  cgroups: "",
  clock: "",
  network: "reaches the server",
  network_rate: "exchanges data with the server",
  gpu_driver: "",
};

/** A result that is slower by this share is mentioned. Smaller differences are noise. */
const SLOWER = 0.3;

/** Two times that differ by less than this count as equal, however large the share is. */
const LEAST_MS = 5;

/** How many earlier tests are needed for a comparison, and how many are used at most. */
const PAST = { least: 2, most: 10 } as const;
const TWINS_LOOKED_AT = 32;

/** How many causes a reason names, since it is read in one line of a table. `orch node show` lists all. */
const REASONS_SAID = 3;
const NAMES_SHOWN = 3;
const REASON_CHARS = 240;

export interface Judging {
  readonly node: NodeRow;
  readonly order: NodeTesting;
  readonly results: readonly TestResult[];
  readonly at_ms: Ms;
  /** Earlier tests of this node, the newest first. */
  readonly past: readonly NodeTests[];
  readonly twins: readonly NodeRow[];
  /** How many tasks ran on the node during the tests. What is measured beside tasks is not compared. */
  readonly busy: number;
}

/** Judges what an agent found. A test that was ordered and has no result counts as failed. */
export function judge({ node, order, results, at_ms, past, twins, busy }: Judging): NodeTests {
  const own = past.filter((tests) => tests.fingerprint === node.fingerprint);
  const all = [...results, ...missing(order, results)].map((result) => (busy === 0 ? result : besides(result, busy)));
  const judged = all.map((result): JudgedResult => ({
    ...result,
    past: pastOf(result, own),
    twins: twinsAt(result, twins),
  }));
  const failed = judged.length === 0 || judged.some(isFatal);
  return tests(node, order, at_ms, failed ? "failed" : "passed", judged);
}

/**
 * Returns the result without its value if tasks ran meanwhile. A busy machine measures less than it can, and the value
 * must not enter later comparisons.
 */
function besides(result: TestResult, busy: number): TestResult {
  const { value, unit, detail } = result;
  if (value === null) return result;
  const measured = `${value}${unit === null ? "" : ` ${unit}`} beside ${busy} ${busy === 1 ? "task" : "tasks"}`;
  return {
    ...result,
    value: null,
    unit: null,
    detail: `${detail === "" ? "" : `${detail}; `}${measured}, not compared`,
  };
}

/** Returns the judgement of tests that did not end in time. */
export const overdue = (node: NodeRow, order: NodeTesting, at_ms: Ms, within_ms: Ms): NodeTests => ({
  ...tests(node, order, at_ms, "failed", []),
  reason: `its tests did not end within ${formatAge(within_ms)}`,
});

/** Judges the same results again, against twins that may have been tested since. */
export function comparedAgain(before: NodeTests, twins: readonly NodeRow[]): NodeTests {
  const results = before.results.map((result) => ({ ...result, twins: twinsAt(result, twins) }));
  return before.results.length === 0 ? before : { ...before, results, reason: reasonOf(results) };
}

/** Returns what is said of twins, in a form that can be compared. While it stays the same, there is no news. */
export const saidOfTwins = ({ reason, results }: NodeTests): string =>
  [reason ?? "", ...results.flatMap(({ name, twins }) => (twins === null ? [] : [name]))].join("\n");

function tests(
  { id: node_id, fingerprint }: NodeRow,
  { id, why }: NodeTesting,
  at_ms: Ms,
  verdict: NodeTests["verdict"],
  results: readonly JudgedResult[],
): NodeTests {
  const reason = results.length === 0 ? "its agent gave no results" : reasonOf(results);
  return { id, node_id, fingerprint, at_ms, why, verdict, reason, results };
}

const isFatal = ({ verdict, required }: TestResult): boolean => verdict === "failed" && required;

function missing({ commands }: NodeTesting, results: readonly TestResult[]): TestResult[] {
  const there = new Set(results.map(({ name }) => name));
  return commands
    .filter(({ name }) => !there.has(name))
    .map(({ name, required }) => ({
      name,
      required,
      verdict: "failed",
      detail: "its agent gave no result",
      value: null,
      unit: null,
      took_ms: 0,
    }));
}

// ---- what is said

/** Returns the reason of a judgement: first what failed, then what is slow. Null if there is neither. */
function reasonOf(results: readonly JudgedResult[]): string | null {
  const fatal = results.filter(isFatal).map(said);
  const rest = results.filter((one) => !isFatal(one) && (one.verdict === "failed" || one.verdict === "warned"));
  const slower = results.flatMap((one) => {
    const { past, twins } = whySlower(one);
    return [past, twins].filter((text) => text !== null);
  });
  const all = [...fatal, ...rest.map(said), ...slower];
  const more = all.length > REASONS_SAID ? [`${all.length - REASONS_SAID} more`] : [];
  return all.length === 0 ? null : [...all.slice(0, REASONS_SAID), ...more].join("; ");
}

function said({ name, detail }: TestResult): string {
  const line = (detail.split("\n")[0] ?? "").slice(0, REASON_CHARS);
  const card = /^gpu (.+)/.exec(name)?.[1];
  return Object.hasOwn(BUILT_IN, name) ? line : `${card === undefined ? name : shortDevice(card)}: ${line}`;
}

/** Returns how a result falls behind its past and its twins, each in words, or null where it does not. */
export function whySlower(result: JudgedResult): { readonly past: string | null; readonly twins: string | null } {
  const { name, past, twins } = result;
  const does = BUILT_IN[name] === undefined || BUILT_IN[name] === "" ? `${name} is` : BUILT_IN[name];
  const behind = (other: { readonly value: number } | null): string | null => {
    const share = other === null ? 0 : slowerBy(result, other.value);
    return share < SLOWER ? null : `${does} ${Math.round(share * 100)} % slower than`;
  };
  const [byPast, byTwins] = [behind(past), behind(twins)];
  return {
    past: byPast === null || past === null ? null : `${byPast} it was in its last ${past.count} tests`,
    twins: byTwins === null || twins === null ? null : `${byTwins} ${namesIn(twins.names)}`,
  };
}

/**
 * Returns by which share a result is slower than `other`; 0 if it is not, or hardly. The speed of a time is its
 * inverse.
 */
export function slowerBy({ value, unit }: Pick<TestResult, "value" | "unit">, other: number): number {
  if (value === null || value <= 0 || other <= 0) return 0;
  if (unit !== "ms") return Math.max(0, 1 - value / other);
  return value - other < LEAST_MS ? 0 : 1 - other / value;
}

function namesIn(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN);
  const rest = names.length - shown.length;
  if (rest > 0) return `${shown.join(", ")} and ${rest} more`;
  return shown.length < 2 ? shown.join("") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

// ---- what it is compared with

/** Returns the value of a named result. It counts whether the test passed or only warned. */
const measured = (results: readonly TestResult[], name: string): number | null =>
  results.find((one) => one.name === name && (one.verdict === "passed" || one.verdict === "warned"))?.value ?? null;

function pastOf({ name, value }: TestResult, past: readonly NodeTests[]): JudgedResult["past"] {
  if (value === null) return null;
  const values = past.flatMap((tests) => measured(tests.results, name) ?? []).slice(0, PAST.most);
  return values.length < PAST.least ? null : { value: median(values), count: values.length };
}

function twinsAt(result: TestResult, twins: readonly NodeRow[]): JudgedResult["twins"] {
  if (result.value === null) return null;
  const known = twins.flatMap((twin) => {
    const value = measured(twin.tests?.results ?? [], result.name);
    return value === null ? [] : [{ name: twin.name, value }];
  });
  if (known.length === 0) return null;
  const faster = known.filter(({ value }) => slowerBy(result, value) >= SLOWER);
  const named = (faster.length === 0 ? known : faster).map(({ name }) => name).sort();
  return { value: median(known.map(({ value }) => value)), names: named };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}

/**
 * Returns other machines of the same make: the same processor and the same cards. At most a fixed number, the oldest
 * first. Agents that share a boot share a machine, so they are no twins.
 */
export function twinsOf(nodes: Iterable<NodeRow>, node: NodeRow): NodeRow[] {
  const cards = cardsOf(node);
  const twins: NodeRow[] = [];
  for (const other of nodes) {
    if (other.boot_id === node.boot_id || other.facts.cpu_model !== node.facts.cpu_model) continue;
    if (other.tests !== null && cardsOf(other) === cards) twins.push(other);
  }
  return twins.sort((a, b) => a.ordinal - b.ordinal).slice(0, TWINS_LOOKED_AT);
}

const cardsOf = ({ devices }: NodeRow): string =>
  devices
    .map(({ model }) => model)
    .sort()
    .join("\n");
