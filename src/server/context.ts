// The parts that the server's rooms share: store, loop, identity, clock and randomness. The same code builds them for a
// server, for its tests and for the simulator.

import { HOUSE_LIMITS } from "../core/limits";
import type { FindingOverrides } from "../core/model/findings";
import type { ServerProcess } from "../core/intake/assign";
import type { PlanLimits } from "../core/pass/snapshot";
import type { Ms } from "../core/units";
import type { TestCommand } from "../core/model/node-tests";
import type { Store } from "../store/store";
import type { Inputs } from "./inputs";
import { createIdleness, type Idleness } from "./facts/idleness";
import { createLoop, type Loop } from "./loop";
import { createPossible, type Possible } from "./facts/possible";
import { createTook } from "./facts/took";
import { createPresences, type PresenceRecord } from "./facts/presence";
import { createReadings, type Readings } from "./facts/readings";

/** The server's identity: its key, whose pin every token contains. */
export interface Identity {
  readonly cluster_id: string;
  /** SHA-256 of the certificate's public key (SPKI), hex. */
  readonly pin: string;
  readonly certificate_pem: string;
  /** Returns the signature of the text: ECDSA P-256 with SHA-256, base64. */
  sign(text: string): string;
  verify(text: string, signature: string): boolean;
  /**
   * Returns a secret that only this server can derive from the label. A token's secret is derived, so that a repeated
   * request gets the same token and the secret is not stored.
   */
  derive(label: string): string;
}

/** A command that belongs to the tests of the nodes of one pool. A null pool means the nodes of all pools. */
export interface PoolTest extends TestCommand {
  readonly pool: string | null;
}

export interface Context {
  readonly store: Store;
  readonly loop: Loop;
  readonly inputs: Inputs;
  readonly readings: Readings;
  readonly idleness: Idleness;
  readonly presences: PresenceRecord;
  readonly possible: Possible;
  readonly limits: PlanLimits;
  /** The operators' overrides of the table of findings, which agents receive. */
  readonly findings: FindingOverrides;
  readonly identity: Identity;
  readonly clock: () => Ms;
  /**
   * The Unix time of this machine's clock, which may jump. It is compared with the expiry times of tokens, with times
   * that clients send, and by agents with their own clocks.
   */
  readonly wall: () => Ms;
  /** The commands by which the operators test nodes. */
  readonly node_tests: readonly PoolTest[];
  /** Returns 32 random hex digits. */
  readonly seed: () => string;
  readonly heartbeat_ms: Ms;
  readonly version: string;
  /** The uid of this process and the boot of its machine, whose agents refuse that account to people. */
  readonly process: ServerProcess;
  readonly say: (line: string) => void;
  /** The JSON of the orders in one message to an agent, and of those together that it has not applied yet. */
  readonly orders_bytes: number;
}

/** One agent's connection. It is the same object from `open` to `close`. */
export interface AgentSocket {
  /** Returns the number of bytes sent, -1 if they are queued, and 0 if they were dropped and so not sent. */
  send(data: string | Uint8Array): number;
  /** Returns how many bytes of what was sent still wait in this process for the other end to take them. */
  waiting(): number;
  close(code: number, reason: string): void;
  /**
   * Closes the connection after this time, unless it is called again before; null lets the connection stay. While it is
   * not yet `known` whose connection it is, it can be cut off to make way for another one.
   */
  patience(within_ms: Ms | null, known?: "known"): void;
  readonly remote: string;
}

export interface AgentSocketHandlers {
  open(socket: AgentSocket): void;
  message(socket: AgentSocket, data: string | Uint8Array): void;
  drain(socket: AgentSocket): void;
  close(socket: AgentSocket): void;
}

/** The parts that a context is built from. */
export interface Ground extends Omit<
  Context,
  "loop" | "readings" | "idleness" | "presences" | "possible" | "heartbeat_ms" | "orders_bytes"
> {
  /** Left out: the bound of the house. */
  readonly orders_bytes?: number;
  /** Receives the error of a failed pass. */
  readonly failed: (error: unknown) => void;
  /** Receives a broken law on account of which some nodes are left out from now on. Missing: the pass has failed. */
  readonly leftOut?: (why: string) => void;
}

const HEARTBEAT_MS = 5_000;

/** A card's use is unknown after this many heartbeats without readings. Readings come with heartbeats. */
const FRESH_BEATS = 4;

/**
 * Returns the time between heartbeats: at most a third of `unreachable_after_ms` and of `lease_ms`, so that one lost
 * heartbeat makes no node unreachable and ends no lease, and at least 100 ms.
 */
const heartbeatMs = ({ unreachable_after_ms, lease_ms }: PlanLimits): number =>
  Math.max(100, Math.floor(Math.min(HEARTBEAT_MS, unreachable_after_ms / 3, lease_ms / 3)));

/** Builds the context. Its loop does not run before the first wake. */
export function createContext({ failed, leftOut, ...ground }: Ground): Context {
  const { store, limits, clock, seed, say } = ground;
  const heartbeat_ms = heartbeatMs(limits);
  const idleness = createIdleness(clock, FRESH_BEATS * heartbeat_ms);
  const presences = createPresences(clock);
  const took = createTook();
  store.onCommit((_revision, changes) => took.take(changes));
  const loop = createLoop({ store, limits, idleness, presences, took, monotonic: clock, seed, say, failed, leftOut });
  const orders_bytes = ground.orders_bytes ?? HOUSE_LIMITS.orders_bytes;
  const facts = { readings: createReadings(clock), idleness, presences, possible: createPossible(store, clock) };
  return { ...ground, ...facts, orders_bytes, loop, heartbeat_ms };
}
