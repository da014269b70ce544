// An agent without a machine: it speaks the protocol by hand over a socket in memory, and fails on any message that
// nobody expected.

import { sign, type KeyObject } from "node:crypto";
import type { NodeRow } from "../../src/core/model/rows-node";
import type { TestResult } from "../../src/core/model/node-tests";
import type { Inventory, Passed, TaskReport } from "../../src/core/model/record";
import {
  PROTOCOL,
  signedText,
  toAgent,
  type Credential,
  type Machine,
  type ToAgent,
  type ToServer,
} from "../../src/wire/agent";
import { joinBody, keyOf } from "../support/keys";
import { waitUntil } from "../support/wait";
import { resultOf } from "./hand-agent";
import { machineOf, type Stage } from "./stage";

type Of<T extends ToAgent["type"]> = Extract<ToAgent, { type: T }>;

/** The identity of an agent, kept from one connection to the next. */
export interface Known {
  readonly name: string;
  readonly key: KeyObject;
  readonly credential: Credential;
}

export async function joinWithKey(stage: Stage, name: string): Promise<Known> {
  const { key, public_key } = keyOf(name);
  const body = joinBody({ key, public_key }, stage.tokens["agent"] ?? "", name, machineOf(name));
  const answer = await stage.call("POST", "/v1/join", { as: "agent", body });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return { name, key, credential: answer.body["credential"] as Credential };
}

interface HelloPart {
  readonly signature?: string;
  readonly machine?: Partial<Machine>;
  readonly applied?: Inventory["applied"];
  readonly highest?: Passed;
}

export class Recorder {
  readonly #heard: ToAgent[] = [];
  /** The times that the server has set for the proof of who this is. */
  readonly patience: (number | null)[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;

  private constructor(
    private readonly stage: Stage,
    private readonly known: Known,
  ) {}

  readonly #socket = {
    remote: "10.0.0.9",
    send: (data: string | Uint8Array): number => {
      if (this.closed !== null) return 0;
      const message = toAgent.parse(JSON.parse(String(data)));
      // Recorders send their few pages without waiting for permission.
      if (message.type !== "more") this.#heard.push(message);
      return data.length;
    },
    close: (code: number, reason: string): void => {
      this.closed ??= { code, reason };
    },
    waiting: () => 0,
    patience: (within_ms: number | null): void => void this.patience.push(within_ms),
  };

  static dial(stage: Stage, known: Known): Recorder {
    const recorder = new Recorder(stage, known);
    stage.api.sessions.handlers.open(recorder.#socket);
    return recorder;
  }

  say(message: ToServer | string): void {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.stage.api.sessions.handlers.message(this.#socket, text);
  }

  /** Returns the next message, which must be of this type. */
  async expect<T extends ToAgent["type"]>(type: T): Promise<Of<T>> {
    const next = await waitUntil(`a message of type ${type}`, () => this.#heard.shift() ?? null);
    if (next.type !== type) throw new Error(`expected ${type}, heard ${JSON.stringify(next)}`);
    return next as Of<T>;
  }

  /** Returns the messages that were sent and not expected, once everything in the queue has been taken in. */
  async rest(): Promise<readonly ToAgent[]> {
    await this.stage.planned();
    return this.#heard;
  }

  /** Answers the challenge. `instance_id` names this start of the agent. */
  async hello(instance_id: string, part: HelloPart = {}): Promise<void> {
    const { nonce } = await this.expect("challenge");
    const { key, credential, name } = this.known;
    const machine = machineOf(name, part.machine);
    const text = signedText(nonce, credential.node_id, instance_id, machine.boot_id, this.stage.api.identity.pin);
    const signature = part.signature ?? sign(null, Buffer.from(text), key).toString("base64");
    this.say({
      type: "hello",
      protocol: PROTOCOL,
      credential,
      instance_id,
      machine,
      signature,
      highest: part.highest ?? null,
      applied: part.applied ?? null,
    });
  }

  /** Goes from the challenge to the welcome, with an inventory of one page. */
  async live(
    instance_id: string,
    entries: readonly TaskReport[] = [],
    machine: Partial<Machine> = {},
  ): Promise<Of<"welcome">> {
    await this.hello(instance_id, { machine });
    this.say({ type: "inventory", entries, unreadable: [], last: true });
    return this.expect("welcome");
  }

  /** Passes the tests that the server asks for next. */
  async pass(): Promise<void> {
    this.tested(await this.expect("test"));
    const { node_id } = this.known.credential;
    const node = (): NodeRow | undefined => this.stage.api.store.state.nodes.get(node_id);
    await waitUntil(`${this.known.name} to be ready`, () => node()?.admission === "ready");
  }

  /** Answers an order to test its node. It passes unless a result says otherwise. */
  tested({ id }: { readonly id: string }, ...results: readonly TestResult[]): void {
    this.say({ type: "tested", id, results: results.length === 0 ? [resultOf("cpu")] : results });
  }

  beat(sent_ms: number): void {
    this.say({ type: "heartbeat", sent_ms, applied_n: 0, applied_revision: 0, reported_seq: 0, skew_ms: null });
  }
}
