// The interfaces of the parts that only main may load: server, agent, restore. Commands start them through these.

import type { Device } from "../core/model/device";
import type { PlanLimits } from "../core/pass/snapshot";
import type { Ms } from "../core/units";
import type { Taint } from "../core/model/workload";

export interface ServerOptions {
  readonly data_dir: string;
  /** `host:port`; port 0 takes a free port. Null: the address of settings.yaml, or else 127.0.0.1:4400. */
  readonly listen: string | null;
  /** Further names under which requests may address the server. */
  readonly hosts: string[];
  /** Whether machines that join by the token of the first start wait for an operator's approval. */
  readonly approve: boolean;
  /** Whether an agent beside it gives away the whole machine, so that no other agent may run there. */
  readonly whole_machine?: boolean | undefined;
  readonly settings: Partial<PlanLimits>;
  readonly version: string;
  say(line: string): void;
}

export interface RunningServer {
  readonly url: string;
  readonly pin: string;
  /** Makes a join token and returns it. */
  joinToken(): Promise<string>;
  /** Resolves when the server was stopped. Rejects when it ended by a failure. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

export interface AgentOptions {
  readonly urls: string[];
  readonly token: string | null;
  /** A data directory whose key vouches for the new one, or null. */
  readonly previous: string | null;
  readonly name: string | null;
  readonly data_dir: string;
  readonly pool: string;
  readonly labels: Record<string, string>;
  readonly taints: Taint[];
  readonly accounts: "existing" | "create" | "shared";
  readonly capacity: Capacity | null;
  readonly devices: Device[];
  readonly cards: string[];
  readonly version: string;
  /** A command or URL that reports that this machine is about to be taken away, or null if there is none. */
  readonly termination_notice: string | null;
  /** Aborts to make the agent move its work away within `drain_ms`, and then end. */
  readonly leave: AbortSignal;
  readonly drain_ms: Ms;
  readonly signal: AbortSignal;
  /** Called each time the server has admitted this agent. */
  joined(): void;
  say(line: string): void;
}

/** The share of the machine that an agent may give to tasks. A missing amount means all that the machine has. */
export interface Capacity {
  readonly cpu_milli?: number;
  readonly memory_bytes?: number;
  readonly disk_bytes?: number;
  readonly countables?: Record<string, number>;
}

export type Restored =
  | { readonly ok: true; readonly set_aside: readonly string[]; readonly notices: readonly string[] }
  | { readonly ok: false; readonly message: string; readonly hint: string | null };

export interface Parts {
  startServer(options: ServerOptions): Promise<RunningServer>;
  /**
   * Runs an agent. Resolves with the way it ended: by its signal, after a drain, or after its node left the cluster.
   * Rejects on a failure that trying again does not mend.
   */
  runAgent(options: AgentOptions): Promise<"stopped" | "drained" | "left">;
  /** Replaces the database of `data_dir` with `file`. The server must be stopped. */
  restore(data_dir: string, file: string): Promise<Restored>;
}
