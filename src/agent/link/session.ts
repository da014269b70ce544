// The agent's one connection: dials out, proves who it is, hands over the inventory, then carries changes, reports
// and logs.

import { sign, type KeyObject } from "node:crypto";
import { greet, type Fence } from "../../core/agent/accept";
import type { Reading } from "../../core/model/device";
import type { FindingOverrides, Notice } from "../../core/model/findings";
import type { TaskReport } from "../../core/model/record";
import type { Ms } from "../../core/units";
import { messageOf } from "../../os/errors";
import {
  PROTOCOL,
  signedText,
  toAgent,
  type Credential,
  type LeavingNote,
  type Machine,
  type ToAgent,
  type ToServer,
} from "../../wire/agent";
import type { AgentLoop } from "../loop";
import type { Outgoing } from "./outgoing";
import type { Tester } from "../tests/tester";
import { pagesOf, withinOneCommit } from "./pages";

export interface SessionOptions {
  readonly url: string;
  /** PEM of the server's certificate; `null` on plain loopback. */
  readonly certificate: string | null;
  readonly pin: string;
  readonly credential: Credential;
  readonly key: KeyObject;
  readonly instance_id: string;
  readonly machine: () => Machine;
  /** What the cards show, told with each heartbeat; empty where there are none. */
  readonly readings: () => readonly Reading[];
  /** What is wrong with them: told until it is heard, judged as the operators want. */
  readonly health: {
    notices(): readonly Notice[];
    noted(n: number): void;
    override(overrides: FindingOverrides): void;
  };
  /** Whether this machine is about to go; the time is of `clock`. */
  readonly leaving: () => Leave | null;
  /** The server has it on disk that this node leaves, or wants it to stay. */
  readonly noted: (leaving: boolean) => void;
  readonly loop: AgentLoop;
  readonly fence: { get(): Fence | null; set(fence: Fence, durable: boolean): Promise<void> };
  readonly outgoing: (send: (data: Uint8Array | string) => void) => Outgoing;
  readonly tests: Tester;
  readonly clock: () => Ms;
  readonly joined: (name: string) => void;
}

/** This node is about to leave: when, and why. `until_ms: null`: in its own time. `gone`: so is its machine then. */
export interface Leave {
  readonly until_ms: Ms | null;
  readonly gone: boolean;
  readonly why: string;
}

/** How a connection ended, for the one who decides about the next. */
export type SessionEnd =
  | { readonly is: "closed"; readonly why: string; readonly lived: boolean }
  | { readonly is: "refused"; readonly code: string; readonly message: string; readonly hint: string | null };

const RESEND_AFTER_MS = 5_000;
const SILENT_BEATS = 3;
const WELCOME_WITHIN_MS = 20_000;

interface Unacked {
  readonly seq: number;
  readonly entries: readonly TaskReport[];
  sent_ms: Ms;
}

/** One connection from dialling to its end. What it could not report is in the next connection's inventory. */
export class ServerSession {
  readonly #options: SessionOptions;
  readonly #socket: WebSocket;
  readonly #outgoing: Outgoing;
  #phase: "dialling" | "greeted" | "live" | "over" = "dialling";
  #unacked: Unacked[] = [];
  #waiting = new Map<string, TaskReport>();
  #flushing = false;
  #seq = 0;
  #inventoried: string[] = [];
  /** The machine as it was told last. */
  #told = "";
  /** The newest finding that was told. */
  #found = 0;
  /** What was told last of leaving. */
  #leave: Leave | null = null;
  #beat: ReturnType<typeof setInterval> | null = null;
  #patience: ReturnType<typeof setTimeout>;
  #answered_ms: Ms;
  #work: Promise<void> = Promise.resolve();
  #refusal: Extract<ToAgent, { type: "refused" }> | null = null;
  readonly ended: Promise<SessionEnd>;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#answered_ms = options.clock();
    const url = options.url.replace(/^http/, "ws") + "/v1/agent";
    const tls =
      options.certificate === null
        ? {}
        : { tls: { ca: options.certificate, rejectUnauthorized: true, serverName: "orch-server" } };
    this.#socket = new WebSocket(url, tls as unknown as string[]);
    this.#socket.binaryType = "arraybuffer";
    this.#outgoing = options.outgoing((data) => this.#socket.send(data as string));
    // A challenge or welcome that never comes would leave the agent waiting for ever.
    this.#patience = setTimeout(() => this.#socket.close(4_004, "the server does not answer"), WELCOME_WITHIN_MS);
    this.ended = new Promise((resolve) => {
      let why = "the connection was closed";
      this.#socket.onerror = (event) => {
        why = "message" in event ? String(event.message).replace(/^WebSocket connection to '[^']*' failed: /, "") : why;
      };
      this.#socket.onmessage = (event) => this.#receive(String(event.data));
      this.#socket.onclose = (event) => resolve(this.#end(event.reason === "" ? why : event.reason));
    });
  }

  close(): void {
    this.#socket.close();
  }

  #end(why: string): SessionEnd {
    if (this.#beat !== null) clearInterval(this.#beat);
    clearTimeout(this.#patience);
    this.#outgoing.closed();
    if (this.#phase === "live") this.#options.tests.connect(null);
    const lived = this.#phase === "live";
    this.#phase = "over";
    if (this.#refusal !== null) {
      const { code, message, hint } = this.#refusal;
      return { is: "refused", code, message, hint };
    }
    return { is: "closed", why, lived };
  }

  #send(message: ToServer): void {
    this.#socket.send(JSON.stringify(message));
  }

  #receive(data: string): void {
    const parsed = toAgent.safeParse(JSON.parse(data));
    if (!parsed.success) {
      this.#refusal = {
        type: "refused",
        code: "malformed",
        message: "the server's message is of another protocol",
        hint: "are both of the same release?",
      };
      this.#socket.close();
      return;
    }
    // One after the other: what a message makes of the records is on disk before the next is looked at.
    this.#work = this.#work
      .then(() => this.#take(parsed.data))
      .catch((error: unknown) => {
        this.#socket.close(4_003, messageOf(error).slice(0, 100));
      });
  }

  /** Whether the next connection may have begun: then nothing of this one counts any more. */
  #isOver(): boolean {
    return this.#phase === "over";
  }

  async #take(message: ToAgent): Promise<void> {
    // What was still queued when the connection ended is said again in the next one, which is the one that counts now.
    if (this.#isOver()) return;
    const { loop, fence } = this.#options;
    switch (message.type) {
      case "challenge":
        return this.#answer(message);
      case "welcome":
        this.#phase = "live";
        clearTimeout(this.#patience);
        this.#options.joined(message.name);
        this.#options.health.override(message.findings);
        this.#startBeating(message.heartbeat_ms);
        this.#options.tests.connect((said) => this.#send(said));
        await loop.acknowledged(this.#inventoried);
        this.#flush();
        this.changed();
        return;
      case "changes": {
        const now = fence.get();
        const next = now === null ? null : await loop.take(now, message.stamp, message.n, message.changes);
        // A newer session may have begun while this was written: its fence stands.
        if (next !== null && fence.get() === now) await fence.set(next, false);
        return;
      }
      case "ack":
        return this.#acknowledge(message.seq);
      case "beat":
        this.#answered_ms = this.#options.clock();
        loop.heard(message.sent_ms);
        return this.#repeat(message.acked_seq);
      case "noted":
        return this.#options.noted(message.leaving);
      case "heard":
        return this.#options.health.noted(message.n);
      case "refused":
        this.#refusal = message;
        this.#socket.close();
        return;
      case "open":
      case "credit":
      case "close":
        return this.#outgoing.take(message);
      case "test":
      case "echo":
        return this.#options.tests.take(message);
    }
  }

  async #answer(challenge: Extract<ToAgent, { type: "challenge" }>): Promise<void> {
    const { loop, fence } = this.#options;
    // What the last session is still writing down belongs to this inventory.
    await loop.quiet();
    // A connection that is over, or greeted already, must not overwrite the fence of the one that counts.
    if (this.#phase !== "dialling") return;
    const before = fence.get();
    const greeting = greet(before, challenge.stamp);
    if (greeting.is === "refused") {
      this.#refusal = { type: "refused", code: "older_server", message: greeting.why, hint: null };
      // The server has to hear of it, so that it stops planning on an old copy.
      this.#hello(challenge.nonce, before);
      this.#socket.close();
      return;
    }
    if (greeting.new_timeline) await loop.newTimeline();
    if (this.#isOver()) return;
    await fence.set(greeting.fence, true);
    if (this.#isOver()) return;
    this.#hello(challenge.nonce, before);
    this.#sendInventory();
    this.#phase = "greeted";
  }

  #hello(nonce: string, before: Fence | null): void {
    const { credential, key, instance_id, pin } = this.#options;
    const machine = this.#options.machine();
    this.#told = JSON.stringify(machine);
    this.#leave = this.#options.leaving();
    const note = this.#note(this.#leave);
    const signed = signedText(nonce, credential.node_id, instance_id, machine.boot_id, pin);
    this.#send({
      type: "hello",
      protocol: PROTOCOL,
      credential,
      instance_id,
      machine,
      signature: sign(null, Buffer.from(signed), key).toString("base64"),
      highest: before === null ? null : { timeline: before.timeline, epoch: before.epoch },
      // An agent on a fresh disk has applied nothing that it could vouch for, and says so.
      applied: before === null ? null : { timeline: before.timeline, revision: before.revision, since: before.since },
      ...(note === null ? {} : { leaving: note }),
    });
  }

  #note(leave: Leave | null): LeavingNote | null {
    if (leave === null) return null;
    const { until_ms, gone, why } = leave;
    const in_ms = until_ms === null ? null : Math.max(0, Math.round(until_ms - this.#options.clock()));
    return { in_ms, gone, why };
  }

  #sendInventory(): void {
    const { entries, unreadable } = this.#options.loop.inventory();
    this.#inventoried = entries.filter((entry) => "finished_age_ms" in entry.reported).map((entry) => entry.uid);
    const pages = pagesOf(withinOneCommit(entries));
    for (const page of pages.slice(0, -1)) {
      this.#send({ type: "inventory", entries: page, unreadable: [], last: false });
    }
    this.#send({ type: "inventory", entries: pages.at(-1) ?? [], unreadable, last: true });
  }

  /** Asks to be forgotten; what it says counts only while it is connected. */
  farewell(): void {
    if (this.#phase === "live") this.#send({ type: "farewell" });
  }

  /** Tells the machine, and whether it leaves, when that is not as it was told last; before the welcome that waits. */
  changed(): void {
    this.#tellLeave();
    this.#tellFindings();
    const machine = this.#options.machine();
    const now = JSON.stringify(machine);
    if (this.#phase !== "live" || now === this.#told) return;
    this.#told = now;
    this.#send({ type: "facts", machine });
  }

  #tellFindings(): void {
    const findings = this.#options.health.notices().filter(({ n }) => n > this.#found);
    const last = findings.at(-1);
    if (this.#phase !== "live" || last === undefined) return;
    this.#found = last.n;
    this.#send({ type: "findings", findings });
  }

  #tellLeave(): void {
    const leave = this.#options.leaving();
    const same = leave?.until_ms === this.#leave?.until_ms && leave?.why === this.#leave?.why;
    if (this.#phase !== "live" || same) return;
    this.#leave = leave;
    this.#send({ type: "leaving", leaving: this.#note(leave) });
  }

  /** Takes reports of the loop; before the welcome they wait, since the inventory already says them. */
  report(entries: readonly TaskReport[]): void {
    for (const entry of entries) this.#waiting.set(entry.uid, entry);
    if (this.#flushing || this.#phase !== "live") return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      if (this.#phase === "live") this.#flush();
    });
  }

  #flush(): void {
    const entries = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const page of pagesOf(entries)) {
      const unacked = { seq: ++this.#seq, entries: page, sent_ms: this.#options.clock() };
      this.#unacked.push(unacked);
      this.#send({ type: "report", seq: unacked.seq, entries: unacked.entries });
    }
  }

  async #acknowledge(seq: number): Promise<void> {
    const done = this.#unacked.filter((report) => report.seq <= seq);
    this.#unacked = this.#unacked.filter((report) => report.seq > seq);
    const finals = done.flatMap((report) => report.entries).filter((entry) => "finished_age_ms" in entry.reported);
    await this.#options.loop.acknowledged(finals.map((entry) => entry.uid));
  }

  async #repeat(acked_seq: number): Promise<void> {
    await this.#acknowledge(acked_seq);
    const now = this.#options.clock();
    for (const report of this.#unacked) {
      if (now - report.sent_ms < RESEND_AFTER_MS) continue;
      report.sent_ms = now;
      this.#send({ type: "report", seq: report.seq, entries: report.entries });
    }
  }

  #startBeating(heartbeat_ms: Ms): void {
    this.#answered_ms = this.#options.clock();
    const beat = (): void => {
      const { clock, fence } = this.#options;
      if (clock() - this.#answered_ms > SILENT_BEATS * heartbeat_ms)
        return this.#socket.close(4_004, "the server is silent");
      const now = fence.get();
      if (now !== null)
        void fence.set(now, true).catch(() => this.#socket.close(4_003, "the fence could not be written"));
      this.#send({
        type: "heartbeat",
        sent_ms: clock(),
        applied_n: now?.applied_n ?? 0,
        applied_revision: now?.revision ?? 0,
        reported_seq: this.#seq,
      });
      this.changed();
      const readings = this.#options.readings();
      if (readings.length > 0) this.#send({ type: "readings", readings: [...readings] });
    };
    this.#beat = setInterval(beat, heartbeat_ms);
    beat();
  }
}
