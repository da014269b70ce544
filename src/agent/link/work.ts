// The work of this node over its connection: changes are applied by number, reports are sent again until they are
// durable, and heartbeats report the progress of both.

import type { TaskReport } from "../../core/model/record";
import type { Ms } from "../../core/units";
import type { ServerLink, ServerHandlers, Message } from "./link";
import { tellChanges } from "./machine";
import { pagesOf } from "./pages";

const RESEND_AFTER_MS = 5_000;
const SILENT_BEATS = 3;

export const WORK: ServerHandlers<"changes" | "ack" | "beat"> = {
  changes: takeChanges,
  ack: (link, { seq }) => acknowledge(link, seq),
  beat: takeBeat,
};

async function takeChanges(link: ServerLink, { stamp, n, changes }: Message<"changes">): Promise<void> {
  const { loop, fence } = link.options;
  const now = fence.get();
  const next = now === null ? null : await loop.take(now, stamp, n, changes);
  // A newer session may have begun during the write. Its fence is kept.
  if (next !== null && fence.get() === now) await fence.set(next, false);
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

/** Sends all queued reports. */
export function flush(link: ServerLink): void {
  const { reports } = link;
  const entries = [...reports.waiting.values()];
  reports.waiting.clear();
  for (const page of pagesOf(entries)) {
    const unacked = { seq: ++reports.seq, entries: page, sent_ms: link.options.clock() };
    reports.unacked.push(unacked);
    link.send({ type: "report", seq: unacked.seq, entries: unacked.entries });
  }
}

async function acknowledge({ reports, options }: ServerLink, seq: number): Promise<void> {
  const done = reports.unacked.filter((one) => one.seq <= seq);
  reports.unacked = reports.unacked.filter((one) => one.seq > seq);
  const finals = done.flatMap((one) => one.entries).filter((entry) => "finished_age_ms" in entry.reported);
  await options.loop.acknowledged(finals.map((entry) => entry.uid));
}

/** Handles the answer to a heartbeat: reports that the server should have by now and has not are sent again. */
async function takeBeat(link: ServerLink, { sent_ms, acked_seq }: Message<"beat">): Promise<void> {
  const { loop, clock } = link.options;
  link.answered_ms = clock();
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
 * Sends heartbeats, the first at once, until the connection ends. Closes the connection when the server has answered no
 * heartbeat for too long.
 */
export function startBeating(link: ServerLink, heartbeat_ms: Ms): void {
  const { clock, fence, readings } = link.options;
  link.answered_ms = clock();
  const beat = (): void => {
    if (clock() - link.answered_ms > SILENT_BEATS * heartbeat_ms) return link.close(4_004, "the server is silent");
    const now = fence.get();
    if (now !== null) fence.set(now, true).catch(() => link.close(4_003, "the fence could not be written"));
    link.send({
      type: "heartbeat",
      sent_ms: clock(),
      applied_n: now?.applied_n ?? 0,
      applied_revision: now?.revision ?? 0,
      reported_seq: link.reports.seq,
    });
    tellChanges(link);
    const shown = readings();
    if (shown.length > 0) link.send({ type: "readings", readings: [...shown] });
  };
  link.beating = setInterval(beat, heartbeat_ms);
  beat();
}
