// The parts that only main may start (server, agent, keeper, restore), as the commands see them.

import type { Device } from "../core/model/device";
import type { PlanLimits } from "../core/pass/snapshot";
import type { Ms } from "../core/units";
import type { Taint } from "../core/model/workload";

export interface ServerOptions {
  readonly data_dir: string;
  /** `host:port`; port 0 takes a free one. `null`: what settings.yaml says, else 127.0.0.1:4400. */
  readonly listen: string | null;
  /** Further names under which the server is addressed. */
  readonly hosts: string[];
  readonly settings: Partial<PlanLimits>;
  readonly version: string;
  say(line: string): void;
}

export interface RunningServer {
  readonly url: string;
  readonly pin: string;
  /** Makes a join token. */
  joinToken(): Promise<string>;
  /** Resolves when it has stopped, for whatever reason. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

export interface AgentOptions {
  readonly urls: string[];
  readonly token: string | null;
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
  /** A command or an address that says when this machine is about to be taken away; null: nobody does. */
  readonly termination_notice: string | null;
  /** Asks it to give its work away within `drain_ms`, and to end then. */
  readonly leave: AbortSignal;
  readonly drain_ms: Ms;
  readonly signal: AbortSignal;
  /** Called each time that the server has taken this agent in. */
  joined(): void;
  say(line: string): void;
}

/** The share of the machine that an agent may give away; what is not named is all there is. */
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
  /** Resolves when it was told to end, and says how it came to it; throws what cannot heal. */
  runAgent(options: AgentOptions): Promise<"stopped" | "drained" | "left">;
  /** Puts the database `file` in place of the one in `data_dir`, whose server must be stopped. */
  restore(data_dir: string, file: string): Promise<Restored>;
}
