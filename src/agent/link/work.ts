// The work of this node over its connection: changes are applied by number, reports are sent again until they are
// durable, and heartbeats report the progress of both.

import { agentSilence } from "../../core/limits";
import type { TaskReport } from "../../core/model/record";
import type { Ms } from "../../core/units";
import type { ServerLink, ServerHandlers, Message } from "./link";
import { tellChanges } from "./machine";
import { pagesOf, resultCounts } from "./pages";

const RESEND_AFTER_MS = 5_000;

/** How often in the time between two heartbeats the agent looks whether the server is silent. */
const LOOKS_A_BEAT = 5;

export const WORK: ServerHandlers<"changes" | "ack" | "beat"> = {
  changes: takeChanges,
  ack: (link, { seq }) => acknowledge(link, seq),
  beat: takeBeat,
};

async function takeChanges(link: ServerLink, { stamp, n, changes, more }: Message<"changes">): Promise<void> {
  const { loop, fence } = link.options;
  const now = fence.get();
  const next = now === null ? null : await loop.take(now, stamp, n, changes);
  // A newer session may have begun during the write. Its fence is kept.
  if (next === null || fence.get() !== now) return;
  await fence.set(next, false);
  // The server waits with what is left until it hears that this message is applied.
  if (more && link.phase === "live") beat(link);
}

/** Queues reports. Before the welcome they wait, since the inventory contains them. */
export function report(link: ServerLink, entries: readonly TaskReport[]): void {
  const { reports } = link;
  for (const entry of entries) reports.waiting.set(entry.uid, entry);
  if (reports.flushing || link.phase !== "live") return;
  reports.flushing = true;
  setImmediate(() => {
    reports.flushing = false;
    if (link.phase === "live") flush(link);
  });
}

/**
 * How many reports are on their way at once: less than the server lets wait. Of what waits here, only the newest state
 * of each task is sent.
 */
const REPORTS_UNDER_WAY = 4;

/** Sends queued reports, as many as may be on their way. */
export function flush(link: ServerLink): void {
  const { reports } = link;
  if (reports.unacked.length >= REPORTS_UNDER_WAY) return;
  for (const page of pagesOf(reports.waiting.values())) {
    for (const { uid } of page) reports.waiting.delete(uid);
    const unacked = { seq: ++reports.seq, entries: page, sent_ms: link.options.clock() };
    reports.unacked.push(unacked);
    link.send({ type: "report", seq: unacked.seq, entries: unacked.entries });
    if (reports.unacked.length >= REPORTS_UNDER_WAY) return;
  }
}

async function acknowledge(link: ServerLink, seq: number): Promise<void> {
  const { reports, options } = link;
  const done = reports.unacked.filter((one) => one.seq <= seq);
  reports.unacked = reports.unacked.filter((one) => one.seq > seq);
  // A server that acknowledges one after the other is slow, and has lost none of them.
  if (done.length > 0) for (const one of reports.unacked) one.sent_ms = options.clock();
  if (reports.waiting.size > 0 && link.phase === "live") flush(link);
  const entries = done.flatMap((one) => one.entries);
  const counts = resultCounts(entries);
  if (counts.size > 0) options.loop.hasResults(counts);
  const finals = entries.filter((entry) => "finished_age_ms" in entry.reported);
  await options.loop.acknowledged(finals.map((entry) => entry.uid));
}

/** Handles the answer to a heartbeat: reports that the server should have by now and has not are sent again. */
async function takeBeat(link: ServerLink, { sent_ms, acked_seq, wall_ms }: Message<"beat">): Promise<void> {
  const { loop, clock } = link.options;
  link.silent_ms = 0;
  if (wall_ms !== null) link.skew.answered(sent_ms, wall_ms, clock());
  loop.heard(sent_ms);
  await acknowledge(link, acked_seq);
  const now = clock();
  for (const one of link.reports.unacked) {
    if (now - one.sent_ms < RESEND_AFTER_MS) continue;
    one.sent_ms = now;
    link.send({ type: "report", seq: one.seq, entries: one.entries });
  }
}

/**
 * Sends heartbeats, the first at once, until the connection ends. A connection on which no heartbeat is answered for
 * too long is dead. The silence is counted while this agent listens: after a pause of its process, the answers that
 * wait in the socket are read before anything follows from their lack.
 */
export function startBeating(link: ServerLink, heartbeat_ms: Ms): void {
  const { clock } = link.options;
  const look_ms = Math.ceil(heartbeat_ms / LOOKS_A_BEAT);
  let [looked_ms, looks] = [clock(), 0];
  link.silent_ms = 0;
  link.beating = setInterval(() => {
    const now_ms = clock();
    link.silent_ms += Math.min(Math.max(now_ms - looked_ms, 0), 2 * look_ms);
    looked_ms = now_ms;
    if (link.silent_ms > agentSilence(heartbeat_ms)) return link.lose("the server is silent");
    looks += 1;
    if (looks % LOOKS_A_BEAT === 0) beat(link);
  }, look_ms);
  beat(link);
}

/** Says that this agent is there, how far it is, and how its cards are. */
function beat(link: ServerLink): void {
  const { clock, wall, fence, readings } = link.options;
  const now = fence.get();
  if (now !== null) fence.set(now, true).catch(() => link.close(4_003, "the fence could not be written"));
  link.send({
    type: "heartbeat",
    sent_ms: clock(),
    applied_n: now?.applied_n ?? 0,
    applied_revision: now?.revision ?? 0,
    reported_seq: link.reports.seq,
    skew_ms: link.skew.get(clock(), wall()),
  });
  tellChanges(link);
  const shown = readings();
  if (shown.length > 0) link.send({ type: "readings", readings: [...shown] });
}
