// One agent's connection, message by message: what it says goes into commits, what has to be said is numbered and kept.

import { toldBy, verbsFor } from "../../core/intake/assign";
import { devicesAfter, type Reading } from "../../core/model/device";
import type { Notice } from "../../core/model/findings";
import type { ClusterRow } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import type { NodeRow } from "../../core/model/rows-node";
import { observe, observeInventory, type IntakeContext } from "../../core/intake/observe";
import type { TaskReport, Verb } from "../../core/model/record";
import type { Ms } from "../../core/units";
import { PROTOCOL, toServer, type LeavingNote, type ToAgent, type ToServer } from "../../wire/agent";
import { admitHello, identify } from "./admission";
import { type Hub, type AgentRefusal, refuse, send, type Session, stamp } from "./hub";
import { noteDevices, noteFindings } from "../nodes/card-events";
import { takeFarewell, takeLeaving } from "../nodes/leaving";
import { testedAgain } from "../nodes/node-testing";
import { answerEcho, ask, takeTested } from "./testing";

type Hello = Extract<ToServer, { type: "hello" }>;
type Inventory = Extract<ToServer, { type: "inventory" }>;
type Changes = Extract<ToAgent, { type: "changes" }>;

const RESEND_AFTER_MS = 5_000;

/** A session whose agent was heard this recently is not given to another instance. */
const IN_USE_MS = 12_000;

/** Sends the difference of these tasks; numbered, and kept until the agent says that it is applied. */
export function push(
  hub: Hub,
  session: Session,
  node: NodeRow,
  tasks: Iterable<TaskRow>,
  first: readonly Verb[] = [],
): void {
  const verbs = [
    ...first,
    ...verbsFor(hub.store.state, node, { spec: hub.store.spec, limits: hub.limits, tasks, told: session.told }),
  ];
  if (verbs.length === 0) return;
  for (const verb of verbs) session.told.set(...toldBy(verb));
  const message: Changes = { type: "changes", stamp: stamp(hub, session), n: ++session.sent_n, changes: verbs };
  session.unapplied.push({ message, at_ms: hub.clock() });
  send(session, message);
}

const intakeContext = (hub: Hub, revision: number, now_ms: Ms): IntakeContext => ({
  now_ms,
  revision,
  limits: hub.limits,
  seed: hub.seed(),
  hasEnded: (uid) => hub.store.history.hasEnded(uid),
  // A run that is over for good left no grave, and needs none: it is in history.
  hasGrave: (uid) => hub.store.history.hasGrave(uid) || hub.store.history.run(uid) !== null,
});

/** What a node has seen of this cluster that this server is not as far as; `null`: nothing. */
function whyBehind({ highest, applied }: Hello, cluster: ClusterRow): string | null {
  if (highest !== null && highest.epoch > cluster.epoch) {
    return `epoch ${highest.epoch} of this cluster, this server is at ${cluster.epoch}`;
  }
  if (applied === null || applied.timeline !== cluster.timeline || applied.revision <= cluster.revision) return null;
  return `revision ${applied.revision} of this cluster, this server is at ${cluster.revision}`;
}

async function greetNode(hub: Hub, session: Session, hello: Hello): Promise<void> {
  const who = identify(hub, hello, session.nonce);
  if (who.is === "refused") return refuse(session, who.refusal);
  const behind = whyBehind(hello, hub.store.state.cluster);
  if (behind !== null) {
    hub.loop.fence(
      `${hello.credential.name} has seen ${behind}: it stopped planning. An old copy of the database is in place; ` +
        "bring it back with: orch restore",
    );
  }
  if (hub.loop.fenced() !== null) {
    return refuse(session, {
      code: "older_server",
      message: "its database is older than what the node saw",
      hint: "restore it with: orch restore FILE",
    });
  }
  const rival = hub.live.get(hello.credential.node_id);
  const rivalry = rival === undefined || rival === session ? null : await contested(hub, rival, hello);
  if (rivalry !== null) return refuse(session, rivalry);
  const verdict = await admitHello(hub, hello, session.socket.remote);
  if (verdict.is === "refused") return refuse(session, verdict.refusal);
  session.phase = { is: "inventory", hello, pages: [] };
}

/** Two agents with one identity: the one that is there stays, unless it has long been silent or is the same process. */
async function contested(hub: Hub, rival: Session, hello: Hello): Promise<AgentRefusal | null> {
  const { phase } = rival;
  if (phase.is !== "live") return null;
  const seen = hub.loop.lastSeen(phase.node_id);
  if (phase.instance_id === hello.instance_id || seen === null || hub.clock() - seen > IN_USE_MS) {
    rival.socket.close(4_001, "replaced by a newer connection");
    drop(hub, rival);
    return null;
  }
  await hub.store.commit("server", (draft) =>
    draft.event({
      verb: "refused",
      object: hello.credential.name,
      project: null,
      detail: `a second agent with its identity connected from ${hello.machine.facts.hostname}`,
    }),
  );
  return {
    code: "identity_in_use",
    message: `another agent is connected as ${hello.credential.name}`,
    hint: "was its data directory copied? Give this one a directory of its own and join again",
  };
}

const isOvertaken = (hub: Hub, session: Session, node_id: string): boolean =>
  (hub.newest.get(node_id) ?? 0) > session.n;

/** Whether this session is live, and the one that speaks for its node. */
const isSpeaking = (hub: Hub, session: Session): session is Session & { phase: { is: "live" } } =>
  session.phase.is === "live" && !isOvertaken(hub, session, session.phase.node_id);

async function takeInventory(hub: Hub, session: Session, page: Inventory): Promise<void> {
  if (session.phase.is !== "inventory") return;
  const { hello, pages } = session.phase;
  pages.push(page);
  if (!page.last) return;
  const { node_id } = hello.credential;
  if (isOvertaken(hub, session, node_id)) return session.socket.close(4_001, "replaced by a newer connection");
  hub.newest.set(node_id, session.n);
  const inventory = {
    boot_id: hello.machine.boot_id,
    applied: hello.applied,
    entries: pages.flatMap((one) => one.entries),
    unreadable: pages.flatMap((one) => one.unreadable),
  };
  const { value } = await hub.store.commit(`node ${hello.credential.name}`, (draft) => {
    const intake = observeInventory(draft.state, node_id, inventory, intakeContext(hub, draft.revision, draft.now_ms));
    draft.put(intake.changes);
    return { told: intake.told, verbs: intake.verbs, notes: intake.notes };
  });
  for (const note of value.notes) hub.say(note);
  const node = hub.store.state.nodes.get(node_id);
  if (node === undefined) return sendHome(hub, session, inventory.entries);
  session.phase = { is: "live", node_id, instance_id: hello.instance_id };
  session.told = value.told;
  hub.live.set(node_id, session);
  hub.loop.heard(node_id, hub.clock());
  const { heartbeat_ms, findings } = hub;
  send(session, { type: "welcome", stamp: stamp(hub, session), name: node.name, heartbeat_ms, findings });
  if (node.leaving !== null) send(session, { type: "noted", stamp: stamp(hub, session), leaving: true });
  push(hub, session, node, hub.store.state.tasks.values(), value.verbs);
  ask(hub, session, node);
  hub.loop.wake();
}

export const FORGOTTEN: AgentRefusal = {
  code: "forgotten",
  message: "this node was removed from the cluster",
  hint: "join it again with a new token: orch token new --role agent",
};

/** A forgotten node gets only its stops. */
function sendHome(hub: Hub, session: Session, entries: readonly TaskReport[]): void {
  const changes: Verb[] = entries
    .filter((entry) => !("finished_age_ms" in entry.reported))
    .map((entry) => ({
      verb: "stop",
      uid: entry.uid,
      attempt: entry.identity?.attempt ?? 0,
      signal: "TERM",
      grace_ms: 10_000,
      why: "its node was forgotten",
    }));
  const { heartbeat_ms, findings } = hub;
  send(session, { type: "welcome", stamp: stamp(hub, session), name: "", heartbeat_ms, findings });
  if (changes.length > 0) send(session, { type: "changes", stamp: stamp(hub, session), n: ++session.sent_n, changes });
  refuse(session, FORGOTTEN);
}

async function takeReport(hub: Hub, session: Session, seq: number, entries: readonly TaskReport[]): Promise<void> {
  if (session.phase.is !== "live") return;
  const { node_id } = session.phase;
  if (isOvertaken(hub, session, node_id)) return;
  const { value: verbs } = await hub.store.commit(`node ${node_id}`, (draft) => {
    const intake = observe(draft.state, node_id, entries, intakeContext(hub, draft.revision, draft.now_ms));
    draft.put(intake.changes);
    return intake.verbs;
  });
  for (const entry of entries) if (!session.told.has(entry.uid)) session.told.set(entry.uid, "run");
  // An answer covers all reports up to it: while one before it could not be taken in, there is none.
  if (seq > session.acked_seq + 1) return;
  session.acked_seq = Math.max(session.acked_seq, seq);
  send(session, { type: "ack", stamp: stamp(hub, session), seq });
  const node = hub.store.state.nodes.get(node_id);
  if (node !== undefined && verbs.length > 0) push(hub, session, node, [], verbs);
}

/** What was given up since it was first sent is not sent again, so that it is not started after all. */
function withoutGivenUp(hub: Hub, message: Changes): Changes {
  const changes = message.changes.filter(
    (verb) => verb.verb === "stop" || hub.store.state.tasks.get(toldBy(verb)[0])?.written_off === null,
  );
  return { ...message, changes };
}

function takeHeartbeat(hub: Hub, session: Session, beat: Extract<ToServer, { type: "heartbeat" }>): void {
  if (session.phase.is !== "live") return;
  hub.loop.heard(session.phase.node_id, hub.clock());
  const node = hub.store.state.nodes.get(session.phase.node_id);
  if (node !== undefined) ask(hub, session, node);
  send(session, { type: "beat", stamp: stamp(hub, session), sent_ms: beat.sent_ms, acked_seq: session.acked_seq });
  session.unapplied = session.unapplied.filter(({ message }) => message.n > beat.applied_n);
  const oldest = session.unapplied[0];
  if (oldest === undefined || hub.clock() - oldest.at_ms < RESEND_AFTER_MS) return;
  const at_ms = hub.clock();
  session.unapplied = session.unapplied.map(({ message }) => ({ message: withoutGivenUp(hub, message), at_ms }));
  for (const { message } of session.unapplied) send(session, message);
}

async function takeFacts(hub: Hub, session: Session, machine: Hello["machine"]): Promise<void> {
  if (session.phase.is !== "live") return;
  const { node_id } = session.phase;
  await hub.store.commit(`node ${node_id}`, (draft) => {
    const node = draft.state.nodes.get(node_id);
    // What waited while the agent came back is older than what it has said since.
    if (node === undefined || hub.live.get(node_id) !== session) return;
    const { facts, capacity, agent_version } = machine;
    const devices = devicesAfter(node.devices, machine.devices, draft.now_ms);
    const row = { ...node, facts, capacity, devices, agent_version };
    noteDevices(draft, node.name, node.devices, machine.devices);
    draft.put([{ table: "nodes", key: node_id, row: testedAgain(hub, draft, node, row, "facts") }]);
  });
}

async function takeLeavingOf(hub: Hub, session: Session, told: LeavingNote | null): Promise<void> {
  if (session.phase.is !== "live") return;
  const { node_id } = session.phase;
  await hub.store.commit(`node ${node_id}`, (draft) => {
    if (hub.live.get(node_id) === session) takeLeaving(draft, node_id, told);
  });
  send(session, { type: "noted", stamp: stamp(hub, session), leaving: told !== null });
}

async function takeFarewellOf(hub: Hub, session: Session): Promise<void> {
  if (session.phase.is !== "live") return;
  const { node_id } = session.phase;
  const { value: gone } = await hub.store.commit(`node ${node_id}`, (draft) =>
    takeFarewell(draft, node_id, intakeContext(hub, draft.revision, draft.now_ms)),
  );
  if (gone) refuse(session, FORGOTTEN);
}

async function takeFindings(hub: Hub, session: Session, findings: readonly Notice[]): Promise<void> {
  if (session.phase.is !== "live") return;
  const { node_id } = session.phase;
  await hub.store.commit(`node ${node_id}`, (draft) => {
    const node = draft.state.nodes.get(node_id);
    if (node !== undefined) noteFindings(draft, node.name, findings);
  });
  send(session, { type: "heard", stamp: stamp(hub, session), n: Math.max(0, ...findings.map(({ n }) => n)) });
}

function takeReadings(hub: Hub, session: Session, readings: readonly Reading[]): void {
  if (session.phase.is !== "live") return;
  const { node_id } = session.phase;
  hub.readings.take(node_id, readings);
  hub.idleness.take(hub.store.state, node_id, readings);
}

async function take(hub: Hub, session: Session, message: ToServer): Promise<void> {
  switch (message.type) {
    case "hello":
      return session.phase.is === "challenged" ? greetNode(hub, session, message) : undefined;
    case "inventory":
      return takeInventory(hub, session, message);
    case "report":
      return takeReport(hub, session, message.seq, message.entries);
    case "heartbeat":
      return takeHeartbeat(hub, session, message);
    case "facts":
      return takeFacts(hub, session, message.machine);
    case "leaving":
      return takeLeavingOf(hub, session, message.leaving);
    case "farewell":
      return takeFarewellOf(hub, session);
    case "readings":
      return takeReadings(hub, session, message.readings);
    case "findings":
      return takeFindings(hub, session, message.findings);
    case "tested":
      return isSpeaking(hub, session) ? takeTested(hub, session.phase.node_id, message.id, message.results) : undefined;
    case "testing":
      session.step = message;
      return;
    case "echo":
      return answerEcho(hub, session, message);
    case "opened":
    case "end":
      return session.streams.take(message);
  }
}

export function receive(hub: Hub, session: Session, data: string | Uint8Array): void {
  if (typeof data !== "string") return session.streams.bytes(data);
  const parsed = parse(data);
  if (parsed === null)
    return refuse(session, {
      code: "malformed",
      message: "the message is not of this protocol",
      hint: `the server speaks version ${PROTOCOL}; are both of the same release?`,
    });
  // Reports need not wait for each other's commit: their order is kept by the store's queue, and states only rise.
  // An echo that had to wait would measure something else.
  if (parsed.type === "report" || parsed.type === "heartbeat" || parsed.type === "echo") {
    void take(hub, session, parsed).catch((error: unknown) => failed(hub, session, error));
    return;
  }
  session.queue = session.queue
    .then(() => take(hub, session, parsed))
    .catch((error: unknown) => failed(hub, session, error));
}

function failed(hub: Hub, session: Session, error: unknown): void {
  hub.say(`agent session ${session.n}: ${error instanceof Error ? error.message : String(error)}`);
  session.socket.close(4_002, "the server could not take the message");
}

export function drop(hub: Hub, session: Session): void {
  session.streams.broken("the node's connection was lost");
  hub.all.delete(session.socket);
  if (session.phase.is === "live" && hub.live.get(session.phase.node_id) === session) {
    hub.live.delete(session.phase.node_id);
    hub.loop.gone(session.phase.node_id);
  }
}

function parse(data: string): ToServer | null {
  try {
    const result = toServer.safeParse(JSON.parse(data));
    return result.success ? result.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
