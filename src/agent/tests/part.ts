// One part of a node's tests: what it is given, and what it finds.

import type { TestResult } from "../../core/model/node-tests";
import type { Answerer } from "../../os/process/answerer";
import type { Machine } from "../../wire/agent";
import type { Retest } from "../cards/retest";
import type { TestLine } from "./tester";

export interface Bench {
  /** The agent's data directory. */
  readonly data: string;
  readonly machine: () => Machine;
  /** Looks at every card anew; those that pass come out of quarantine. */
  readonly retest: () => Promise<readonly Retest[]>;
}

/** What the parts of one battery share. */
export interface Workbench extends Bench {
  /** Measures what would hold the agent up. */
  readonly child: Answerer;
}

/** A result before it is known how long it took. */
export type Finding = Omit<TestResult, "took_ms">;

/** A group of results that come of one piece of work. */
export interface Part {
  readonly name: string;
  /** Whether it fails the node when it does not end, or cannot be done at all. */
  readonly required: boolean;
  readonly timeout_ms: number;
  run(bench: Workbench, line: TestLine): Promise<readonly Finding[]>;
}
