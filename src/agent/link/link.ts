// The state of one connection to the server that all families of messages share: its options, its phase, the newest
// reports over it, and the function that sends.

import type { KeyObject } from "node:crypto";
import type { Fence } from "../../core/agent/fence";
import type { Reading } from "../../core/model/device";
import type { FindingOverrides, Notice } from "../../core/model/findings";
import type { TaskReport } from "../../core/model/record";
import type { BootMs, Ms, WallMs } from "../../core/units";
import type { Credential, Machine, ToAgent, ToServer } from "../../wire/agent";
import type { AgentLoop } from "../loop/loop";
import type { Looker } from "../machine/presence";
import type { FetchAnswer } from "../tasks/inputs";
import type { Tester } from "../tests/tester";
import type { Outgoing } from "./outgoing";
import type { Skew } from "./skew";

export interface SessionOptions {
  readonly url: string;
  /** The server's certificate (PEM), whose key has been compared with the pin. */
  readonly certificate: string;
  readonly pin: string;
  readonly credential: Credential;
  readonly key: KeyObject;
  readonly instance_id: string;
  readonly machine: () => Machine;
  /** The cards' readings, sent with each heartbeat; empty where there are no cards. */
  readonly readings: () => readonly Reading[];
  /**
   * The findings about the cards. They are sent until the server has them on disk, and judged by the operators' rules.
   */
  readonly health: {
    notices(): readonly Notice[];
    noted(n: number): void;
    override(overrides: FindingOverrides): void;
  };
  /** Returns when and why this node leaves, or null if it stays. */
  readonly leaving: () => Leave | null;
  /** Called when the server has on disk that this node leaves, or when a person wants it to stay. */
  readonly noted: (leaving: boolean) => void;
  readonly loop: AgentLoop;
  readonly fence: { get(): Fence | null; set(fence: Fence, durable: boolean): Promise<void> };
  /** Looks whether this node has what work needs. Null: this agent does not look. */
  readonly looker: Looker | null;
  readonly outgoing: (send: (data: Uint8Array | string) => void) => Outgoing;
  readonly tests: Tester;
  readonly clock: () => BootMs;
  /** This machine's wall clock. It is compared with the server's. */
  readonly wall: () => WallMs;
  readonly joined: (name: string) => void;
  readonly say: (line: string) => void;
}

/**
 * A node's leave: when and why. `until_ms` is a time of `clock`; null means that the node leaves once it is empty.
 * `gone` says that the machine goes too.
 */
export interface Leave {
  readonly until_ms: BootMs | null;
  readonly gone: boolean;
  readonly why: string;
}

/** Reports on their way: those that wait to be sent, and those that were sent and are not durable yet. */
export interface Reports {
  seq: number;
  unacked: UnackedReport[];
  readonly waiting: Map<string, TaskReport>;
  flushing: boolean;
}

export interface UnackedReport {
  readonly seq: number;
  readonly entries: readonly TaskReport[];
  sent_ms: BootMs;
}

/** The part of an input that the server was asked for, by number. One is under way at a time. */
export interface Fetches {
  n: number;
  answered: ((answer: FetchAnswer) => void) | null;
}

/** The newest state that was sent over this connection, so that only changes are sent again. */
export interface ToldState {
  /** The machine as JSON. */
  machine: string;
  /** The number of the newest finding that was sent. */
  finding_n: number;
  leave: Leave | null;
  /** The uids of the ended tasks that the inventory listed, and how many results of each batch it brought. */
  inventoried: string[];
  results: ReadonlyMap<string, number>;
}

export type InventoryPage = Extract<ToServer, { type: "inventory" }>;

export interface ServerLink {
  readonly options: SessionOptions;
  readonly outgoing: Outgoing;
  /** Once a connection is `over`, the next one may have begun, and no message of this one counts. */
  phase: "dialling" | "greeted" | "live" | "over";
  refusal: Message<"refused"> | null;
  /** For how long the server has been silent, counted while this agent listened. */
  silent_ms: Ms;
  readonly skew: Skew;
  readonly told: ToldState;
  readonly reports: Reports;
  readonly fetches: Fetches;
  /** The pages of the inventory that are not sent yet, and how many of them the server lets come. */
  readonly inventory: { pages: InventoryPage[]; granted: number };
  /** The timer of heartbeats, or null before the first. */
  beating: ReturnType<typeof setInterval> | null;
  /** The timer that ends the connection unless it is open, and then unless the agent is welcome, by then. */
  patience: ReturnType<typeof setTimeout>;
  send(message: ToServer): void;
  /** Ends the session with a word to the server. */
  close(code?: number, why?: string): void;
  /** Ends the session without a word, since its connection is dead. */
  lose(why: string): void;
}

export type Message<T extends ToAgent["type"]> = Extract<ToAgent, { type: T }>;

/** The handlers of a family of messages, one for each type. */
export type ServerHandlers<T extends ToAgent["type"]> = {
  readonly [K in T]: (link: ServerLink, message: Message<K>) => void | Promise<void>;
};
