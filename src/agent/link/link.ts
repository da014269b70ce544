// What the families of messages share of one connection to the server: what it was opened with, how far it is, what was
// told over it, and the way to say more.

import type { KeyObject } from "node:crypto";
import type { Fence } from "../../core/agent/fence";
import type { Reading } from "../../core/model/device";
import type { FindingOverrides, Notice } from "../../core/model/findings";
import type { TaskReport } from "../../core/model/record";
import type { Ms } from "../../core/units";
import type { Credential, Machine, ToAgent, ToServer } from "../../wire/agent";
import type { AgentLoop } from "../loop/loop";
import type { Tester } from "../tests/tester";
import type { Outgoing } from "./outgoing";

export interface SessionOptions {
  readonly url: string;
  /** PEM of the server's certificate; `null` on plain loopback. */
  readonly certificate: string | null;
  readonly pin: string;
  readonly credential: Credential;
  readonly key: KeyObject;
  readonly instance_id: string;
  readonly machine: () => Machine;
  /** What the cards show, told with each heartbeat; empty where there are none. */
  readonly readings: () => readonly Reading[];
  /** What is wrong with them: told until it is heard, judged as the operators want. */
  readonly health: {
    notices(): readonly Notice[];
    noted(n: number): void;
    override(overrides: FindingOverrides): void;
  };
  /** Whether this machine is about to go; the time is of `clock`. */
  readonly leaving: () => Leave | null;
  /** The server has it on disk that this node leaves, or wants it to stay. */
  readonly noted: (leaving: boolean) => void;
  readonly loop: AgentLoop;
  readonly fence: { get(): Fence | null; set(fence: Fence, durable: boolean): Promise<void> };
  readonly outgoing: (send: (data: Uint8Array | string) => void) => Outgoing;
  readonly tests: Tester;
  readonly clock: () => Ms;
  readonly joined: (name: string) => void;
}

/** This node is about to leave: when, and why. `until_ms: null`: in its own time. `gone`: so is its machine then. */
export interface Leave {
  readonly until_ms: Ms | null;
  readonly gone: boolean;
  readonly why: string;
}

/** Reports on their way: what waits to be sent, and what was sent and is not durable yet. */
export interface Reports {
  seq: number;
  unacked: UnackedReport[];
  readonly waiting: Map<string, TaskReport>;
  flushing: boolean;
}

export interface UnackedReport {
  readonly seq: number;
  readonly entries: readonly TaskReport[];
  sent_ms: Ms;
}

/** What the server was told last over this connection, so that only changes are told again. */
export interface ToldState {
  /** The machine, as JSON. */
  machine: string;
  /** The number of the newest finding. */
  finding_n: number;
  leave: Leave | null;
  /** The uids of ended tasks that the inventory listed. */
  inventoried: string[];
}

export interface ServerLink {
  readonly options: SessionOptions;
  readonly outgoing: Outgoing;
  /** `over`: the next connection may have begun, so nothing of this one counts any more. */
  phase: "dialling" | "greeted" | "live" | "over";
  refusal: Message<"refused"> | null;
  /** When the server answered last. */
  answered_ms: Ms;
  readonly told: ToldState;
  readonly reports: Reports;
  /** The timer of heartbeats, once there are some. */
  beating: ReturnType<typeof setInterval> | null;
  /** Ends the connection unless the server has welcomed the agent by then. */
  readonly patience: ReturnType<typeof setTimeout>;
  send(message: ToServer): void;
  close(code?: number, why?: string): void;
}

export type Message<T extends ToAgent["type"]> = Extract<ToAgent, { type: T }>;

/** A family of messages: a handler for each of its types. */
export type ServerHandlers<T extends ToAgent["type"]> = {
  readonly [K in T]: (link: ServerLink, message: Message<K>) => void | Promise<void>;
};
