// The tests of a node: what it is asked to prove before it gets work, what came of it, and what was found before.

import type { Ms } from "../units";

/** A command of the operator's that belongs to the tests. */
export interface TestCommand {
  readonly name: string;
  readonly argv: readonly string[];
  readonly timeout_ms: Ms;
  /** Whether a failure quarantines the node. */
  readonly required: boolean;
}

/** An order to test a node. A result that names another order is of the past. */
export interface NodeTesting {
  /** 32 random hex digits. */
  readonly id: string;
  /** `it joined`, `the driver changed from 550.54 to 560.35`, `asked for by alice`. */
  readonly why: string;
  readonly by: string;
  readonly at_ms: Ms;
  /** What its operators want to be run besides what is built in, as the settings had it when the order was made. */
  readonly commands: readonly TestCommand[];
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

/** A result beside what it was compared with when it was judged; `null`: there was nothing to compare with. */
export interface JudgedResult extends TestResult {
  /** The median of the same machine's last tests. */
  readonly past: { readonly value: number; readonly count: number } | null;
  /** The median of machines of the same make. */
  readonly twins: { readonly value: number; readonly names: readonly string[] } | null;
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
  readonly results: readonly JudgedResult[];
}
