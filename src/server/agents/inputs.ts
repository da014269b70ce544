// The standard input of a node's tasks, sent part by part as its agent asks. One part is under way at a time, so that
// heartbeats are not held up, and a node gets the input of its own tasks alone.

import { isFinal } from "../../core/model/lifecycle";
import { withCancel } from "../../core/model/new-run";
import type { RunRow } from "../../core/model/rows-work";
import { aboutRun } from "../../core/plan/events";
import type { ToServer } from "../../wire/agent";
import { encodeFrame } from "../../wire/tunnel";
import { atOnce, type Handlers, whileLive } from "./handlers";
import { type Hub, send, type Session } from "./hub";

type Fetch = Extract<ToServer, { type: "fetch" }>;

export const INPUTS: Handlers<"fetch"> = { fetch: atOnce(whileLive(takeFetch)) };

async function takeFetch(hub: Hub, session: Session, message: Fetch, node_id: string): Promise<void> {
  if (session.fetching) return refuseFetch(session, message, "another part is under way");
  session.fetching = true;
  try {
    await sendPart(hub, session, message, node_id);
  } finally {
    session.fetching = false;
  }
}

async function sendPart(hub: Hub, session: Session, message: Fetch, node_id: string): Promise<void> {
  const run = runOf(hub, node_id, message.uid);
  if (run === null || run.stdin === null)
    return refuseFetch(session, message, "no open task of this node has an input");
  const part = await hub.inputs.read(run.user, run.stdin, message.offset);
  if (part !== null) {
    session.socket.send(encodeFrame(message.fetch, part));
    return;
  }
  send(session, { type: "unfetched", fetch: message.fetch, gone: true, why: GONE });
  await cancelWithout(hub, run);
}

function refuseFetch(session: Session, { fetch }: Fetch, why: string): void {
  send(session, { type: "unfetched", fetch, gone: false, why });
}

function runOf({ store: { state } }: Hub, node_id: string, uid: string): RunRow | null {
  const task = state.tasks.get(uid);
  if (task === undefined || task.node_id !== node_id || isFinal(task.observed.state)) return null;
  return state.runs.get(task.owner_uid) ?? null;
}

const GONE = "its standard input is not on the server any more";

/**
 * Cancels a run whose input is gone, as after a restore of a copy: it would wait for ever, and never starts with an
 * empty input instead.
 */
async function cancelWithout({ store }: Hub, { uid }: RunRow): Promise<void> {
  await store.commit("server", (draft) => {
    const run = draft.state.runs.get(uid);
    if (run === undefined || isFinal(run.state) || run.cancel !== null) return;
    draft.put([{ table: "runs", key: uid, row: withCancel(run, "the server", draft.now_ms, `${GONE}: run it again`) }]);
    draft.event({ verb: "cancelled", ...aboutRun(run), detail: GONE });
  });
}
