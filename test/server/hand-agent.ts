// An agent played by hand: a real session without a socket. It proves who it is like an agent; everything else it says
// comes from the test, and what the server sends is kept.

import { sign, type KeyObject } from "node:crypto";
import type { TestResult } from "../../src/core/model/node-tests";
import type { TaskReport } from "../../src/core/model/record";
import { PROTOCOL, signedText, toAgent, type Credential, type Machine } from "../../src/wire/agent";
import type { LeavingNote, ToAgent, ToServer } from "../../src/wire/agent";
import type { AgentSocket } from "../../src/server/context";
import { decodeFrame, encodeFrame, type Frame } from "../../src/wire/tunnel";
import { machineOf, type Stage } from "./stage";
import { joinBody, keyOf } from "../support/keys";
import { waitUntil } from "../support/wait";

export interface HandAgent {
  readonly node_id: string;
  /** Everything that the server has sent, oldest first. */
  readonly heard: readonly ToAgent[];
  /** Waits for the bytes under a number. */
  frame(n: number): Promise<Frame>;
  say(message: ToServer): void;
  /** Sends bytes of a log that the server has opened. */
  send(stream: number, text: string): void;
  heartbeat(): void;
  report(entries: readonly TaskReport[]): void;
  hangUp(): void;
  /** Waits for the n-th message of a kind. */
  told<K extends ToAgent["type"]>(type: K, n?: number): Promise<Extract<ToAgent, { type: K }>>;
  /** Answers an order to test its node. */
  tested(id: string, ...results: TestResult[]): void;
}

export interface HandOptions {
  /** Whether the agent passes its tests by itself, as most do. */
  readonly passes?: boolean;
  /** Whether the agent takes changed settings of its tasks. */
  readonly sets?: boolean;
  /** Whether the agent says that it looks for what work needs. */
  readonly looks?: boolean;
}

interface Known {
  readonly credential: Credential;
  readonly key: KeyObject;
  readonly machine: Machine;
  readonly options: HandOptions;
}

/** Returns a result in the form that agents send. */
export const resultOf = (name: string, part: Partial<TestResult> = {}): TestResult => ({
  name,
  verdict: "passed",
  required: true,
  detail: "",
  value: null,
  unit: null,
  took_ms: 1,
  ...part,
});

/** Lets a machine join, and connects its agent. */
export async function handAgent(
  stage: Stage,
  name: string,
  part: Partial<Machine> = {},
  options: HandOptions = {},
): Promise<HandAgent> {
  const machine = machineOf(name, part);
  const key = keyOf(name);
  const body = joinBody(key, stage.tokens["agent"] ?? "", name, machine);
  const answer = await stage.call("POST", "/v1/join", { as: "agent", body });
  const credential = answer.body["credential"] as Credential;
  return connectAgain(stage, { credential, key: key.key, machine, options });
}

const known = new WeakMap<HandAgent, Known>();

/**
 * Returns the same agent in a new session, after its connection broke. With `part`, its machine reports something else.
 */
export async function reconnected(
  stage: Stage,
  agent: HandAgent,
  part: Partial<Machine> = {},
  leaving: LeavingNote | null = null,
): Promise<HandAgent> {
  const before = known.get(agent);
  if (before === undefined) throw new Error("this agent never joined");
  return connectAgain(stage, { ...before, machine: { ...before.machine, ...part } }, leaving);
}

async function connectAgain(stage: Stage, who: Known, leaving: LeavingNote | null = null): Promise<HandAgent> {
  const heard: ToAgent[] = [];
  const frames: Frame[] = [];
  let live = true;
  const socket: AgentSocket = {
    send(data) {
      if (typeof data !== "string") return frames.push(decodeFrame(data));
      const message = toAgent.parse(JSON.parse(data));
      heard.push(message);
      if (message.type === "test" && who.options.passes !== false) agent.tested(message.id, resultOf("cpu"));
      return 1;
    },
    close: () => void (live = false),
    patience: () => undefined,
    waiting: () => 0,
    remote: "10.0.0.9",
  };
  const { handlers } = stage.api.sessions;
  let reported = 0;
  const agent: HandAgent = {
    node_id: who.credential.node_id,
    heard,
    frame: (n) => waitUntil(`frame ${n}`, () => frames.find(({ stream }) => stream === n) ?? null),
    say: (message) => handlers.message(socket, JSON.stringify(message)),
    send: (stream, text) => handlers.message(socket, encodeFrame(stream, Buffer.from(text))),
    heartbeat: () =>
      agent.say({ type: "heartbeat", sent_ms: 1, applied_n: 0, applied_revision: 0, reported_seq: 0, skew_ms: null }),
    report: (entries) => agent.say({ type: "report", seq: ++reported, entries }),
    hangUp: () => live && handlers.close(socket),
    tested: (id, ...results) => agent.say({ type: "tested", id, results }),
    told: async (type, n = 1) =>
      waitUntil(`${type} ${n} from the server`, () => heard.filter((one) => one.type === type)[n - 1] as never),
  };
  known.set(agent, who);
  handlers.open(socket);
  const challenge = heard.find((message) => message.type === "challenge");
  if (challenge === undefined) throw new Error("the server asked for no proof");
  agent.say({ ...helloOf(stage, who, challenge.nonce), ...(leaving === null ? {} : { leaving }) });
  agent.say({ type: "inventory", entries: [], unreadable: [], last: true });
  await waitUntil(`${who.credential.name} to be welcome`, () => heard.some(({ type }) => type === "welcome"));
  agent.heartbeat();
  await waitUntil(`${who.credential.name} to be connected`, () => {
    const node = stage.api.store.state.nodes.get(agent.node_id);
    return node?.contact === "connected" && (node.admission === "ready" || who.options.passes === false);
  });
  return agent;
}

type Hello = Extract<ToServer, { type: "hello" }>;

function helloOf(stage: Stage, { credential, key, machine, options }: Known, nonce: string): Hello {
  const { pin } = stage.api.identity;
  const instance_id = "1".repeat(32);
  const text = signedText(nonce, credential.node_id, instance_id, machine.boot_id, pin);
  const signature = sign(null, Buffer.from(text), key).toString("base64");
  return {
    type: "hello",
    protocol: PROTOCOL,
    credential,
    instance_id,
    signature,
    machine,
    highest: null,
    applied: null,
    ...(options.sets === undefined ? {} : { sets: options.sets }),
    ...(options.looks === true ? { looks: true } : {}),
  };
}

/** Adds nodes that have passed their tests and are connected, without agents. What is placed on them stays assigned. */
export async function heardNode(stage: Stage, name: string, part: Partial<Machine> = {}): Promise<string> {
  const agent = await handAgent(stage, name, part);
  const { node_id: id } = agent;
  await waitUntil(`${name} to be ready`, () => stage.api.store.state.nodes.get(id)?.admission === "ready");
  agent.hangUp();
  stage.api.loop.heard(id, stage.clock);
  await waitUntil(`${name} to be connected`, () => stage.api.store.state.nodes.get(id)?.contact === "connected");
  return id;
}
