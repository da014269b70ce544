// Handles an agent's messages about its machine while it is connected: changed facts, readings of cards, and findings.

import { HOUSE_LIMITS } from "../../core/limits";
import { MINUTE_MS } from "../../core/units";
import type { ToServer } from "../../wire/agent";
import { noteAbility } from "../nodes/ability";
import { noteDevices, noteFindings } from "../nodes/card-events";
import { sayClaim, withMachine, withOwnCards } from "../nodes/node-row";
import { testedAgain } from "../nodes/node-testing";
import { byNode } from "./events";
import { atOnce, type Handlers, inTurn, whileLive } from "./handlers";
import { actorOf, doubt, type Hub, send, type Session, stamp } from "./hub";

type Facts = Extract<ToServer, { type: "facts" }>;
type Readings = Extract<ToServer, { type: "readings" }>;
type Presence = Extract<ToServer, { type: "presence" }>;
type Findings = Extract<ToServer, { type: "findings" }>;

export const MACHINE: Handlers<"facts" | "readings" | "findings" | "presence"> = {
  facts: inTurn(whileLive(takeFacts)),
  readings: inTurn(whileLive(takeReadings)),
  findings: inTurn(whileLive(takeFindings)),
  presence: atOnce(whileLive(takePresence)),
};

/** How often a node may change the facts of its machine. Each change is a row, and may be many events. */
const CHANGES = { most: HOUSE_LIMITS.facts_a_minute, within_ms: MINUTE_MS };

/** Returns whether the node may change its facts now, and counts the change. */
function mayChange(hub: Hub, node_id: string): boolean {
  const now_ms = hub.clock();
  const known = hub.changed.get(node_id);
  const before = known !== undefined && now_ms - known.since_ms < CHANGES.within_ms ? known : null;
  const count = (before?.count ?? 0) + 1;
  if (count > CHANGES.most) return false;
  hub.changed.set(node_id, { since_ms: before?.since_ms ?? now_ms, count });
  return true;
}

/** Takes the node's facts. Of those that come too soon, the newest are taken with a later heartbeat. */
async function takeFacts(hub: Hub, session: Session, facts: Facts, node_id: string): Promise<void> {
  session.facts = null;
  if (!mayChange(hub, node_id)) {
    session.facts = facts;
    const often = `changes what its machine is more than ${CHANGES.most} times a minute: the newest counts, later`;
    return doubt(hub, node_id, often);
  }
  const { machine } = facts;
  await hub.store.commit(actorOf(hub, node_id), (open) => {
    const draft = byNode(hub, node_id, open);
    const node = draft.state.nodes.get(node_id);
    // Facts that were queued on an older connection are older than the hello of the connection that is live now.
    if (node === undefined || hub.live.get(node_id) !== session) return;
    const { machine: own, others } = withOwnCards(draft.state, node, machine);
    for (const one of others) doubt(hub, node_id, sayClaim(one));
    const row = withMachine(node, own, draft.now_ms);
    noteDevices(draft, node, node.devices, own.devices);
    noteAbility(draft, node, row);
    draft.put([{ table: "nodes", key: node_id, row: testedAgain(hub, draft, node, row, "facts") }]);
  });
}

/** How many findings of one session are kept as events in each minute. Honest agents are far below it. */
const FINDINGS = { most: HOUSE_LIMITS.findings_a_minute, within_ms: MINUTE_MS };

/** Returns the findings that may still be kept, and counts them. */
function within(hub: Hub, session: Session, findings: Findings["findings"]): Findings["findings"] {
  const now_ms = hub.clock();
  const { found } = session;
  const before = now_ms - found.since_ms < FINDINGS.within_ms ? found : { since_ms: now_ms, count: 0 };
  const kept = findings.slice(0, Math.max(0, FINDINGS.most - before.count));
  session.found = { since_ms: before.since_ms, count: before.count + kept.length };
  return kept;
}

async function takeFindings(hub: Hub, session: Session, { findings }: Findings, node_id: string): Promise<void> {
  const kept = within(hub, session, findings);
  if (kept.length < findings.length) {
    doubt(hub, node_id, `reported more than ${FINDINGS.most} findings in a minute: the rest are not kept`);
  }
  if (kept.length > 0) {
    await hub.store.commit(actorOf(hub, node_id), (open) => {
      const draft = byNode(hub, node_id, open);
      const node = draft.state.nodes.get(node_id);
      if (node !== undefined) noteFindings(draft, node, kept);
    });
  }
  send(session, { type: "heard", stamp: stamp(hub, session), n: Math.max(0, ...findings.map(({ n }) => n)) });
}

/** Takes the facts that came too soon before, if they may be taken by now. */
export async function takeLateFacts(hub: Hub, session: Session, node_id: string): Promise<void> {
  if (session.facts !== null) await takeFacts(hub, session, session.facts, node_id);
}

function takeReadings(hub: Hub, _session: Session, { readings }: Readings, node_id: string): void {
  hub.readings.take(node_id, readings);
  hub.idleness.take(hub.store.state, node_id, readings);
}

function takePresence(hub: Hub, _session: Session, { answers }: Presence, node_id: string): void {
  if (hub.presences.take(node_id, answers)) hub.loop.wake();
}
