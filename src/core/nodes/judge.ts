// The verdict on a node's tests: what failed, and what is slower than the same machine was, or than its twins are.

import { shortDevice } from "../cards/gpu";
import { formatAge } from "../format";
import type { NodeRow } from "../model/rows-node";
import type { JudgedResult, NodeTesting, NodeTests, TestResult } from "../model/node-tests";
import type { Ms } from "../units";

/** What is built in, and how a slower one is said of the node: `writes 40 % slower than n2`. */
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

/** From here on a machine is worth a look; what lies below is weather. */
const SLOWER = 0.3;

/** A time that differs by less is no difference, however large its share. */
const LEAST_MS = 5;

/** So many of its own tests make a past, and no more are looked at. */
const PAST = { least: 2, most: 10 } as const;
const TWINS_LOOKED_AT = 32;

/** A reason is read in one line of a table; `orch node show` has them all. */
const REASONS_SAID = 3;
const NAMES_SHOWN = 3;
const REASON_CHARS = 240;

export interface Judging {
  readonly node: NodeRow;
  readonly order: NodeTesting;
  readonly results: readonly TestResult[];
  readonly at_ms: Ms;
  /** Earlier tests of this node, newest first. */
  readonly past: readonly NodeTests[];
  readonly twins: readonly NodeRow[];
  /** How many tasks ran there meanwhile: what was measured beside them is compared with nothing. */
  readonly busy: number;
}

/** Judges what an agent found. What was ordered and is not there has failed. */
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

/** A busy machine is slower than it is: the value is told, and not kept as one. */
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

/** Tests that did not end in time. */
export const overdue = (node: NodeRow, order: NodeTesting, at_ms: Ms, within_ms: Ms): NodeTests => ({
  ...tests(node, order, at_ms, "failed", []),
  reason: `its tests did not end within ${formatAge(within_ms)}`,
});

/** The same tests beside twins that may have been tested since. */
export function comparedAgain(before: NodeTests, twins: readonly NodeRow[]): NodeTests {
  const results = before.results.map((result) => ({ ...result, twins: twinsAt(result, twins) }));
  return before.results.length === 0 ? before : { ...before, results, reason: reasonOf(results) };
}

/** What is said of twins, and of which results there is anything to say: while it stays the same, that is no news. */
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

/** What failed comes first; then what is worth a look. `null`: nothing is. */
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

/** How a result falls behind what it was compared with, each in words; `null`: it does not. */
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

/** By which share the speed lies behind another's; the speed of a time is its inverse. 0: it does not, or hardly. */
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

/** What can be measured again counts, whether it passed or was only noted. */
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
 * Other machines of the same make: the same processor, and the same cards. At most so many, the oldest first. Agents
 * of one boot share a machine: what one of them measures says nothing of the other, but what it took from it.
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
