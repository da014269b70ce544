// The greeting of a connection: the agent proves which node it speaks for, and then lists the node's tasks in pages.

import type { Verb, TaskReport } from "../../core/model/record";
import { stopsOfGivenUp } from "../../core/intake/assign";
import { observeInventory } from "../../core/intake/observe";
import { formatBytes } from "../../core/format";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Need } from "../../core/pass/presence";
import type { ToServer } from "../../wire/agent";
import { verifyPassed } from "../access/identity";
import { intakeContext } from "../nodes/intake-context";
import { admitHello, isNewer } from "./admission";
import { bySource } from "./events";
import { inTurn, type Handlers } from "./handlers";
import { doubt, drop, FORGOTTEN, type Hub, type InventoryPages, isOvertaken } from "./hub";
import { type AgentRefusal, refuse, send, type Session, stamp } from "./hub";
import { ask } from "./testing";
import { push, sendLast } from "./orders";

type Hello = Extract<ToServer, { type: "hello" }>;
type Inventory = Extract<ToServer, { type: "inventory" }>;

/** A second agent with the same identity is refused if the connected agent was heard within this time. */
const IN_USE_MS = 12_000;

export const GREETING: Handlers<"hello" | "inventory"> = {
  hello: inTurn((hub, session, hello) =>
    session.phase.is === "challenged" ? greetNode(hub, session, hello) : undefined,
  ),
  inventory: inTurn(takeInventory),
};

/**
 * Returns how far this cluster was, by the stamp that the node has kept, beyond this server's database. Returns null if
 * it was not, or if no server with this key has signed the stamp: a node's own word stops nobody.
 */
function whyBehind(hub: Hub, { highest, credential }: Hello): string | null {
  const { cluster } = hub.store.state;
  if (highest === null) return null;
  const further = highest.timeline === cluster.timeline && highest.revision > cluster.revision;
  if (highest.epoch <= cluster.epoch && !further) return null;
  if (!verifyPassed(hub.identity, highest)) {
    const detail =
      `said that this cluster was at epoch ${highest.epoch}, revision ${highest.revision}, ` +
      "without a signature of this server's key: not believed";
    doubt(hub, credential.node_id, detail);
    return null;
  }
  return highest.epoch > cluster.epoch
    ? `epoch ${highest.epoch} of this cluster, this server is at ${cluster.epoch}`
    : `revision ${highest.revision} of this cluster, this server is at ${cluster.revision}`;
}

async function greetNode(hub: Hub, session: Session, hello: Hello): Promise<void> {
  const behind = whyBehind(hub, hello);
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
  const rivalry =
    rival === undefined || rival === session ? null : await contested(hub, rival, hello, session.socket.remote);
  if (rivalry !== null) return refuse(session, rivalry);
  const verdict = await admitHello(hub, hello, session.socket.remote);
  if (verdict.is === "refused") return refuse(session, verdict.refusal);
  session.phase = { is: "inventory", hello, pages: { entries: [], unreadable: [], chars: 0, words_chars: 0 } };
  replaceUnfinished(hub, session, hello.credential.node_id);
  session.socket.patience(HOUSE_LIMITS.inventory_ms, "known");
  send(session, { type: "more", pages: PAGES_AHEAD });
}

/** Closes the other connections of this node that have sent only a part of its inventory. */
function replaceUnfinished(hub: Hub, session: Session, node_id: string): void {
  for (const other of hub.all.values()) {
    if (other === session || other.phase.is !== "inventory") continue;
    if (other.phase.hello.credential.node_id === node_id) other.socket.close(4_001, "replaced by a newer connection");
  }
}

/** How many pages of an inventory an agent may send before the first of them is handled. */
const PAGES_AHEAD = 2;

/** The most last output that is kept of one inventory. Its agent sends no more either. */
const WORDS_CHARS = 3 * 1024 * 1024;

/**
 * Decides between two agents with one identity. The connected agent is replaced if the new connection comes from the
 * same start of the agent, if it has a newer key of the node, or if the server has not heard the connected agent for
 * `IN_USE_MS`. Returns null then, else the refusal of the new connection.
 */
async function contested(hub: Hub, rival: Session, hello: Hello, remote: string): Promise<AgentRefusal | null> {
  const { phase } = rival;
  if (phase.is !== "live") return null;
  const seen = hub.loop.lastSeen(phase.node_id);
  const node = hub.store.state.nodes.get(phase.node_id);
  const isReplaced = node !== undefined && isNewer(node, hello);
  if (isReplaced || phase.instance_id === hello.instance_id || seen === null || hub.clock() - seen > IN_USE_MS) {
    rival.socket.close(4_001, "replaced by a newer connection");
    drop(hub, rival);
    return null;
  }
  await hub.store.commit("server", (draft) =>
    bySource(hub, remote, draft).event({
      verb: "refused",
      object: hello.credential.name,
      project: null,
      node_id: hello.credential.node_id,
      detail: `a second agent with its identity connected from ${hello.machine.facts.hostname}`,
    }),
  );
  return {
    code: "identity_in_use",
    message: `another agent is connected as ${hello.credential.name}`,
    hint: "was its data directory copied? Give this one a directory of its own and join again",
  };
}

/**
 * Adds a page, without the last output that is beyond the bound of one inventory. Returns how large the inventory has
 * become if that is more than the server takes, else null.
 */
function addPage(pages: InventoryPages, page: Inventory): string | null {
  for (const entry of page.entries) {
    const { reported } = entry;
    const words = "tail" in reported && reported.tail !== null ? reported.tail : null;
    pages.words_chars += words === null ? 0 : words.stdout.length + words.stderr.length;
    const kept =
      words === null || pages.words_chars <= WORDS_CHARS ? entry : { ...entry, reported: { ...reported, tail: null } };
    pages.chars += JSON.stringify(kept).length;
    pages.entries.push(kept as TaskReport);
  }
  for (const orphan of page.unreadable) {
    pages.chars += JSON.stringify(orphan).length;
    pages.unreadable.push(orphan);
  }
  const count = pages.entries.length + pages.unreadable.length;
  if (count <= HOUSE_LIMITS.inventory_entries && pages.chars <= HOUSE_LIMITS.inventory_bytes) return null;
  return `${count} tasks, ${formatBytes(pages.chars)}`;
}

async function takeInventory(hub: Hub, session: Session, page: Inventory): Promise<void> {
  if (session.phase.is !== "inventory") return;
  const { hello, pages } = session.phase;
  const { node_id } = hello.credential;
  const beyond = addPage(pages, page);
  if (beyond !== null) {
    doubt(hub, node_id, `sent an inventory of ${beyond}: refused`);
    const message = `its inventory is larger than the server takes: ${beyond}`;
    return refuse(session, {
      code: "inventory_too_large",
      message,
      hint: "remove ended tasks from its data directory",
    });
  }
  if (!page.last) {
    send(session, { type: "more", pages: 1 });
    return;
  }
  if (isOvertaken(hub, session, node_id)) return session.socket.close(4_001, "replaced by a newer connection");
  hub.newest.set(node_id, session.n);
  const inventory = {
    boot_id: hello.machine.boot_id,
    applied: hello.applied,
    entries: pages.entries,
    unreadable: pages.unreadable,
  };
  // The pass that ends the batch sees the node as heard, and with what it has.
  if (hub.store.state.nodes.has(node_id)) hub.loop.heard(node_id, hub.clock());
  const taken = hub.store.commit(`node ${hello.credential.name}`, (draft) => {
    const intake = observeInventory(draft.state, node_id, inventory, intakeContext(hub, draft));
    draft.put(intake.changes);
    return { told: intake.told, verbs: intake.verbs, notes: intake.notes, doubts: intake.doubts };
  });
  const { value } = await taken.catch((error: unknown) => {
    if (!hub.live.has(node_id)) hub.loop.gone(node_id);
    throw error;
  });
  for (const note of value.notes) hub.say(note);
  for (const detail of value.doubts) doubt(hub, node_id, detail);
  const node = hub.store.state.nodes.get(node_id);
  if (node === undefined) return sendHome(hub, session, inventory.entries);
  session.phase = { is: "live", node_id, instance_id: hello.instance_id, log_lines: hello.log_lines === true };
  session.socket.patience(null);
  session.orders.told = value.told;
  session.orders.set = hello.sets === true ? new Map() : null;
  hub.live.set(node_id, session);
  if (hello.looks === true) hub.presences.connected(node_id, (needs) => askFor(session, needs));
  const { heartbeat_ms, findings } = hub;
  send(session, { type: "welcome", stamp: stamp(hub, session), name: node.name, heartbeat_ms, findings });
  if (node.leaving !== null) send(session, { type: "noted", stamp: stamp(hub, session), leaving: true });
  // The answer to its first heartbeat is a lease.
  const given_up = hub.loop.decides() ? stopsOfGivenUp(hub.store.state.tasks.values(), node_id) : [];
  push(hub, session, node, hub.store.state.tasks.values(), value.verbs, given_up);
  ask(hub, session, node);
  hub.loop.wake();
}

/** Asks an agent whether its node has these, in messages of bounded size. */
function askFor(session: Session, needs: readonly Need[]): void {
  for (let at = 0; at < needs.length; at += HOUSE_LIMITS.message_needs) {
    send(session, { type: "look", needs: needs.slice(at, at + HOUSE_LIMITS.message_needs) });
  }
}

/** Tells a forgotten node to stop its tasks, and then refuses it. */
function sendHome(hub: Hub, session: Session, entries: readonly TaskReport[]): void {
  const changes: Verb[] = entries
    .filter((entry) => !("finished_age_ms" in entry.reported))
    .map((entry) => ({
      verb: "stop",
      uid: entry.uid,
      attempt: entry.identity?.attempt ?? 0,
      assigned_revision: 0,
      signal: "TERM",
      grace_ms: 10_000,
      why: "its node was forgotten",
    }));
  const { heartbeat_ms, findings } = hub;
  send(session, { type: "welcome", stamp: stamp(hub, session), name: "", heartbeat_ms, findings });
  sendLast(hub, session, changes);
  refuse(session, FORGOTTEN);
}
