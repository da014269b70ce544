// One part of a node's tests: its inputs and its findings.

import type { TestResult } from "../../core/model/node-tests";
import type { Answerer } from "../../os/process/answerer";
import type { Machine } from "../../wire/agent";
import type { Retest } from "../cards/retest";
import type { TestLine } from "./tester";

export interface Bench {
  /** The agent's data directory. */
  readonly data: string;
  readonly machine: () => Machine;
  /** Tests every card anew. Cards that pass leave quarantine. */
  readonly retest: () => Promise<readonly Retest[]>;
}

/** The things that all parts of one battery share. */
export interface Workbench extends Bench {
  /** A child process that measures what would block the agent. */
  readonly child: Answerer;
}

/** A result without the time that it took. */
export type Finding = Omit<TestResult, "took_ms">;

/** A group of results that one piece of work yields. */
export interface Part {
  readonly name: string;
  /** Whether the node fails if this part does not end, or cannot be done at all. */
  readonly required: boolean;
  readonly timeout_ms: number;
  run(bench: Workbench, line: TestLine): Promise<readonly Finding[]>;
}
