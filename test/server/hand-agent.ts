// An agent played by hand: a real session without a socket. It proves who it is as an agent does; what else it says is
// the test's, and what the server tells it is kept.

import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import type { TaskReport } from "../../src/core/record";
import { PROTOCOL, signedText, toAgent, type Credential, type Machine } from "../../src/wire/agent";
import type { LeavingNote, ToAgent, ToServer } from "../../src/wire/agent";
import type { AgentSocket } from "../../src/server/context";
import { machineOf, type Stage } from "./stage";
import { waitUntil } from "../support/wait";

export interface HandAgent {
  readonly node_id: string;
  /** Everything that the server has said, oldest first. */
  readonly heard: readonly ToAgent[];
  say(message: ToServer): void;
  heartbeat(): void;
  report(entries: readonly TaskReport[]): void;
  hangUp(): void;
}

interface Known {
  readonly credential: Credential;
  readonly key: KeyObject;
  readonly machine: Machine;
}

/** Joins a machine and connects its agent. */
export async function handAgent(stage: Stage, name: string, part: Partial<Machine> = {}): Promise<HandAgent> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const machine = machineOf(name, part);
  const { body } = await stage.call("POST", "/v1/join", {
    as: "agent",
    body: { name, public_key: publicKey.export({ type: "spki", format: "der" }).toString("base64"), machine },
  });
  return connectAgain(stage, { credential: body["credential"] as Credential, key: privateKey, machine });
}

const known = new WeakMap<HandAgent, Known>();

/** The same agent in a new session, after a break; with `part` its machine says something else. */
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
  let live = true;
  const socket: AgentSocket = {
    send(data) {
      heard.push(toAgent.parse(JSON.parse(String(data))));
      return 1;
    },
    close: () => void (live = false),
    remote: "10.0.0.9",
  };
  const { handlers } = stage.api.sessions;
  let reported = 0;
  const agent: HandAgent = {
    node_id: who.credential.node_id,
    heard,
    say: (message) => handlers.message(socket, JSON.stringify(message)),
    heartbeat: () => agent.say({ type: "heartbeat", sent_ms: 1, applied_n: 0, applied_revision: 0, reported_seq: 0 }),
    report: (entries) => agent.say({ type: "report", seq: ++reported, entries }),
    hangUp: () => live && handlers.close(socket),
  };
  known.set(agent, who);
  handlers.open(socket);
  const challenge = heard.find((message) => message.type === "challenge");
  if (challenge === undefined) throw new Error("the server asked for no proof");
  agent.say({ ...helloOf(stage, who, challenge.nonce), ...(leaving === null ? {} : { leaving }) });
  agent.say({ type: "inventory", entries: [], unreadable: [], last: true });
  await waitUntil(`${who.credential.name} to be welcome`, () => heard.some(({ type }) => type === "welcome"));
  agent.heartbeat();
  await waitUntil(
    `${who.credential.name} to be connected`,
    () => stage.api.store.state.nodes.get(agent.node_id)?.contact === "connected",
  );
  return agent;
}

type Hello = Extract<ToServer, { type: "hello" }>;

function helloOf(stage: Stage, { credential, key, machine }: Known, nonce: string): Hello {
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
  };
}
