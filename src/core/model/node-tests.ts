// The tests of a node: the order, the results, and the judgement.

import type { Ms } from "../units";

/** An operator's command that belongs to the tests. */
export interface TestCommand {
  readonly name: string;
  readonly argv: readonly string[];
  readonly timeout_ms: Ms;
  /** Whether a failure quarantines the node. */
  readonly required: boolean;
}

/** An order to test a node. A result that names another order is outdated. */
export interface NodeTesting {
  /** 32 random hex digits. */
  readonly id: string;
  /** The reason in words: `it joined`, `the driver changed from 550.54 to 560.35`, `asked for by alice`. */
  readonly why: string;
  readonly by: string;
  readonly at_ms: Ms;
  /** The operators' commands, as the settings had them when the order was made. They run besides the built-in tests. */
  readonly commands: readonly TestCommand[];
}

export interface TestResult {
  /** `memory`, `disk_write`, `gpu GPU-1234`, or the name of an operator's command. */
  readonly name: string;
  readonly verdict: "passed" | "failed" | "warned" | "skipped";
  /** Whether a failure quarantines the node. */
  readonly required: boolean;
  readonly detail: string;
  /** A measured rate or time, comparable over time and between machines. Null for a test that measures nothing. */
  readonly value: number | null;
  /** `MB/s` or `ms`. More is better, unless it is a time. */
  readonly unit: string | null;
  readonly took_ms: Ms;
}

/** A result beside the values that it was compared with when it was judged. Null: there were none. */
export interface JudgedResult extends TestResult {
  /** The median of the same machine's last tests. */
  readonly past: { readonly value: number; readonly count: number } | null;
  /** The median of machines of the same make. */
  readonly twins: { readonly value: number; readonly names: readonly string[] } | null;
}

/** One execution of a node's tests, judged. It is kept in history. */
export interface NodeTests {
  /** The id of the order. */
  readonly id: string;
  readonly node_id: string;
  /** The fingerprint of the tested machine. A node may move to another machine later. */
  readonly fingerprint: string;
  readonly at_ms: Ms;
  readonly why: string;
  readonly verdict: "passed" | "failed";
  /** Why the node failed, and remarks on a node that passed, for people. */
  readonly reason: string | null;
  readonly results: readonly JudgedResult[];
}
