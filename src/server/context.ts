// What the parts of the server's shell share: the store, the loop, who this server is, the clock and the dice. It is
// built here, for a server, for its tests and for the simulator alike.

import type { FindingOverrides } from "../core/model/findings";
import type { PlanLimits } from "../core/pass/snapshot";
import type { Ms } from "../core/units";
import type { TestCommand } from "../core/model/node-tests";
import type { Store } from "../store/store";
import { createIdleness, type Idleness } from "./facts/idleness";
import { createLoop, type Loop } from "./loop";
import { createReadings, type Readings } from "./facts/readings";

/** Who this server is: the key behind the pin that every token carries. */
export interface Identity {
  readonly cluster_id: string;
  /** SHA-256 of the certificate's public key (SPKI), hex. */
  readonly pin: string;
  readonly certificate_pem: string;
  /** ECDSA P-256 with SHA-256 over the text, base64. */
  sign(text: string): string;
  verify(text: string, signature: string): boolean;
  /** A secret that only this server can derive from a label; for answers that must be repeatable and not stored. */
  derive(label: string): string;
}

/** A command that belongs to the tests of the nodes of one pool; `null`: of all. */
export interface PoolTest extends TestCommand {
  readonly pool: string | null;
}

export interface Context {
  readonly store: Store;
  readonly loop: Loop;
  readonly readings: Readings;
  readonly idleness: Idleness;
  readonly limits: PlanLimits;
  /** The operators' changes of the table of findings, for the agents. */
  readonly findings: FindingOverrides;
  readonly identity: Identity;
  readonly clock: () => Ms;
  /** What people's clocks say: for what expires at a time of day, for keys that clients date, for agents to compare. */
  readonly wall: () => Ms;
  /** The operators' own tests of nodes. */
  readonly node_tests: readonly PoolTest[];
  /** 32 random hex digits. */
  readonly seed: () => string;
  readonly heartbeat_ms: Ms;
  readonly version: string;
  readonly say: (line: string) => void;
}

/** One agent's connection. The same object from `open` to `close`. */
export interface AgentSocket {
  /** Bytes sent, -1 when queued, 0 when dropped: then it counts as not sent. */
  send(data: string | Uint8Array): number;
  close(code: number, reason: string): void;
  readonly remote: string;
}

export interface AgentSocketHandlers {
  open(socket: AgentSocket): void;
  message(socket: AgentSocket, data: string | Uint8Array): void;
  drain(socket: AgentSocket): void;
  close(socket: AgentSocket): void;
}

/** What a context is built from. */
export interface Ground extends Omit<Context, "loop" | "readings" | "idleness" | "heartbeat_ms"> {
  /** Hears the error of a pass that failed. */
  readonly failed: (error: unknown) => void;
}

const HEARTBEAT_MS = 5_000;

/** Readings come with heartbeats; after so many without any, a card's use is not known. */
const FRESH_BEATS = 4;

/** Often enough that one lost heartbeat makes no node silent and ends no lease, whatever the settings say. */
const heartbeatMs = ({ unreachable_after_ms, lease_ms }: PlanLimits): number =>
  Math.max(100, Math.floor(Math.min(HEARTBEAT_MS, unreachable_after_ms / 3, lease_ms / 3)));

/** The loop waits for its first wake. */
export function createContext({ failed, ...ground }: Ground): Context {
  const { store, limits, clock, seed, say } = ground;
  const heartbeat_ms = heartbeatMs(limits);
  const idleness = createIdleness(clock, FRESH_BEATS * heartbeat_ms);
  const loop = createLoop({ store, limits, idleness, monotonic: clock, seed, say, failed });
  return { ...ground, loop, readings: createReadings(clock), idleness, heartbeat_ms };
}
