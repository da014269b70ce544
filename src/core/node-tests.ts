// The tests of a node: what it is asked to prove before it gets work, what came of it, and what was found before.

import type { Ms } from "./units";

/** An order to test a node. A result that names another order is of the past. */
export interface NodeTesting {
  /** 32 random hex digits. */
  readonly id: string;
  /** `it joined`, `the driver changed from 550.54 to 560.35`, `asked for by alice`. */
  readonly why: string;
  readonly by: string;
  readonly at_ms: Ms;
}

export interface TestResult {
  /** `memory`, `disk_write`, `gpu GPU-1234`, or the name of an operator's command. */
  readonly name: string;
  readonly verdict: "passed" | "failed" | "warned" | "skipped";
  /** Whether a failure quarantines the node. */
  readonly required: boolean;
  readonly detail: string;
  /** A measured rate or time, comparable over time and between machines; `null`: a mere yes or no. */
  readonly value: number | null;
  /** `MB/s`, `ms`; more is better unless it is a time. */
  readonly unit: string | null;
  readonly took_ms: Ms;
}

/** One execution of a node's tests, judged. Kept in history. */
export interface NodeTests {
  /** The id of the order. */
  readonly id: string;
  readonly node_id: string;
  /** The machine's, since a node may get another one. */
  readonly fingerprint: string;
  readonly at_ms: Ms;
  readonly why: string;
  readonly verdict: "passed" | "failed";
  /** Why it failed, and what is worth a look though it passed; for people. */
  readonly reason: string | null;
  readonly results: readonly TestResult[];
}
