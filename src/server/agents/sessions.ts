// All agents' connections: opened and closed here, and informed of every commit that concerns their node.

import { serverSilence } from "../../core/limits";
import type { Change, State } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import type { Ms } from "../../core/units";
import { PROTOCOL } from "../../wire/agent";
import type { StepView } from "../../wire/node-tests";
import { drop, type Hub, type AgentRefusal, refuse, send, type Session, stamp } from "./hub";
import type { AgentSocket, AgentSocketHandlers, Context } from "../context";
import { ask } from "./testing";
import { receive } from "./session";
import { createStreams, type LogRequest, type OpenedLog } from "./streams";
import { newOrders, push } from "./orders";

export interface Sessions {
  readonly handlers: AgentSocketHandlers;
  /** Opens a task's log on its node. Returns null if the node is not connected. */
  /**
   * Opens a log at a node. Returns null if the node is not connected, and `too_old` if its agent cannot find lines and
   * these are asked for.
   */
  openLog(node_id: string, request: LogRequest): OpenedLog | "too_old" | null;
  /** Returns the test that the node's agent is running for this order, or null if the agent has not reported one. */
  stepOf(node_id: string, order: string): StepView | null;
  /** Returns whether the node's agent has a session now. */
  isOpen(node_id: string): boolean;
  close(node_id: string, why: AgentRefusal): void;
  /** Tells a node that announced its leaving that it is to stay. */
  keep(node_id: string): void;
  stop(): void;
}

/** An agent proves who it is within this time. No other message prolongs it. */
const PROOF_WITHIN_MS = 20_000;

const newSession = (n: number, nonce: string, socket: AgentSocket, heard_ms: Ms): Session => ({
  n,
  nonce,
  socket,
  streams: createStreams(socket),
  proven: false,
  phase: { is: "challenged" },
  orders: newOrders(),
  asked: null,
  found: { since_ms: 0, count: 0 },
  facts: null,
  step: null,
  acked_seq: 0,
  fetching: false,
  held: [],
  heard_ms,
  waiting_chars: 0,
  queue: Promise.resolve(),
});

const newHub = (context: Context): Hub => ({
  ...context,
  all: new Map(),
  live: new Map(),
  newest: new Map(),
  signed: { revision: -1, signature: "" },
  unproven_chars: 0,
  budgets: new Map(),
  changed: new Map(),
  read: new Map(),
  doubted: new Map(),
});

function openLog(session: Session | undefined, request: LogRequest): OpenedLog | "too_old" | null {
  if (session?.phase.is !== "live") return null;
  const needsLines = request.tail_lines !== undefined || request.times === true;
  return needsLines && !session.phase.log_lines ? "too_old" : session.streams.openLog(request);
}

export function createSessions(context: Context): Sessions {
  const hub = newHub(context);
  let count = 0;
  const look = setInterval(() => endSilent(hub), hub.heartbeat_ms);
  const unlisten = hub.store.onCommit((_revision, changes) => {
    for (const { table, key, row } of changes) if (table === "nodes" && row === null) hub.readings.forget(key);
    for (const [node_id, tasks] of changedTasks(changes, hub.store.state)) {
      const session = hub.live.get(node_id);
      const node = hub.store.state.nodes.get(node_id);
      if (session !== undefined && node !== undefined) push(hub, session, node, tasks);
    }
    for (const change of changes) {
      if (change.table !== "nodes" || change.row === null) continue;
      const session = hub.live.get(change.key);
      if (session !== undefined) ask(hub, session, change.row);
    }
  });
  // Whoever was greeted before has been told nothing of its tasks.
  hub.loop.onDecided(() => {
    for (const [node_id, session] of hub.live) {
      const node = hub.store.state.nodes.get(node_id);
      if (node !== undefined) push(hub, session, node, hub.store.state.tasks.values());
    }
  });
  return {
    handlers: {
      open(socket) {
        const session = newSession(++count, hub.seed(), socket, hub.loop.listening_ms());
        hub.all.set(socket, session);
        socket.patience(PROOF_WITHIN_MS);
        send(session, { type: "challenge", protocol: PROTOCOL, nonce: session.nonce, stamp: stamp(hub, session) });
      },
      message(socket, data) {
        const session = hub.all.get(socket);
        if (session === undefined) return;
        session.heard_ms = hub.loop.listening_ms();
        receive(hub, session, data);
      },
      drain: () => undefined,
      close(socket) {
        const session = hub.all.get(socket);
        if (session !== undefined) drop(hub, session);
      },
    },
    openLog: (node_id, request) => openLog(hub.live.get(node_id), request),
    stepOf(node_id, order) {
      const step = hub.live.get(node_id)?.step ?? null;
      return step?.id === order ? { name: step.name, n: step.n, of: step.of } : null;
    },
    isOpen: (node_id) => hub.live.has(node_id),
    close(node_id, why) {
      const session = hub.live.get(node_id);
      if (session === undefined) return;
      refuse(session, why);
      // The other end may never answer the closing handshake, so its session ends here.
      drop(hub, session);
    },
    keep(node_id) {
      const session = hub.live.get(node_id);
      if (session !== undefined) send(session, { type: "noted", stamp: stamp(hub, session), leaving: false });
    },
    stop() {
      unlisten();
      clearInterval(look);
      for (const session of hub.all.values()) session.socket.close(1_001, "the server stops");
    },
  };
}

/**
 * Ends the connections on which nothing has come for so long that the agent has given them up as well. The other end
 * may be gone without a word, so this end must not count as the node's session, nor be kept.
 */
function endSilent(hub: Hub): void {
  const longest_ms = serverSilence(hub.heartbeat_ms);
  const now_ms = hub.loop.listening_ms();
  for (const session of hub.all.values()) {
    if (now_ms - session.heard_ms <= longest_ms) continue;
    session.socket.close(4_004, "the agent is silent");
    drop(hub, session);
  }
}

/**
 * Returns the living tasks among the changed rows, and those of workloads whose settings changed, by node, in their
 * current state.
 */
function changedTasks(changes: readonly Change[], state: State): Map<string, TaskRow[]> {
  const byNode = new Map<string, TaskRow[]>();
  const add = (task: TaskRow | undefined): void => {
    if (task === undefined) return;
    const tasks = byNode.get(task.node_id);
    if (tasks === undefined) byNode.set(task.node_id, [task]);
    else tasks.push(task);
  };
  const set = new Set<string>();
  for (const { table, key, row } of changes) {
    if (table === "tasks" && row !== null) add(state.tasks.get(key));
    // Each change of settings has an entry in the history.
    if (table === "versions" && row !== null) set.add(row.workload_uid);
  }
  if (set.size === 0) return byNode;
  for (const task of state.tasks.values()) {
    const { workload_uid } = state.runs.get(task.owner_uid) ?? { workload_uid: task.owner_uid };
    if (workload_uid !== null && set.has(workload_uid)) add(task);
  }
  return byNode;
}
