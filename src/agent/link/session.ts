// One connection of the agent: dials the server and passes each of its messages to the handler of the message's family,
// one after another, until either side closes.

import type { TaskReport } from "../../core/model/record";
import { messageOf } from "../../os/errors";
import { toAgent, type ToAgent, type ToServer } from "../../wire/agent";
import { pinnedTls } from "../../wire/pinned";
import { fromText } from "../../wire/text";
import { GREETING } from "./greeting";
import { LEAVING, sayFarewell } from "./leaving";
import type { ServerLink, ServerHandlers, SessionOptions } from "./link";
import { MACHINE, tellChanges } from "./machine";
import { report, WORK } from "./work";

/** How a connection ended, which decides about the next attempt. */
export type SessionEnd =
  | { readonly is: "closed"; readonly why: string; readonly lived: boolean }
  | { readonly is: "refused"; readonly code: string; readonly message: string; readonly hint: string | null };

const WELCOME_WITHIN_MS = 20_000;

/** The handler of every message of the server. */
const HANDLERS: ServerHandlers<ToAgent["type"]> = {
  ...GREETING,
  ...WORK,
  ...MACHINE,
  ...LEAVING,
  open: ({ outgoing }, message) => outgoing.take(message),
  credit: ({ outgoing }, message) => outgoing.take(message),
  close: ({ outgoing }, message) => outgoing.take(message),
  test: ({ options }, message) => options.tests.take(message),
  echo: ({ options }, message) => options.tests.take(message),
};

/**
 * One connection from dialling to its end. The next connection's inventory contains the reports that this one could not
 * send.
 */
export class ServerSession {
  readonly #socket: WebSocket;
  readonly #link: ServerLink;
  #taking: Promise<void> = Promise.resolve();
  readonly ended: Promise<SessionEnd>;

  constructor(options: SessionOptions) {
    const url = options.url.replace(/^http/, "ws") + "/v1/agent";
    const trust = { tls: pinnedTls(options.certificate), proxy: false };
    this.#socket = new WebSocket(url, trust as unknown as string[]);
    this.#socket.binaryType = "arraybuffer";
    this.#link = {
      options,
      outgoing: options.outgoing((data) => this.#socket.send(data as string)),
      phase: "dialling",
      refusal: null,
      answered_ms: options.clock(),
      told: { machine: "", finding_n: 0, leave: null, inventoried: [] },
      reports: { seq: 0, unacked: [], waiting: new Map(), flushing: false },
      beating: null,
      // Without this timer, a challenge or welcome that never comes would block the agent for ever.
      patience: setTimeout(() => this.#socket.close(4_004, "the server does not answer"), WELCOME_WITHIN_MS),
      send: (message: ToServer) => this.#socket.send(JSON.stringify(message)),
      close: (code, why) => this.#socket.close(code, why),
    };
    this.ended = new Promise((resolve) => {
      let why = "the connection was closed";
      this.#socket.onerror = (event) => {
        why = "message" in event ? String(event.message).replace(/^WebSocket connection to '[^']*' failed: /, "") : why;
      };
      this.#socket.onmessage = (event) => this.#receive(event.data);
      this.#socket.onclose = (event) => resolve(this.#end(event.reason === "" ? why : event.reason));
    });
  }

  close(): void {
    this.#socket.close();
  }

  /** Asks the server to forget this node. */
  farewell(): void {
    sayFarewell(this.#link);
  }

  /** Reports the machine, its cards and its leave to the server if they have changed. */
  changed(): void {
    tellChanges(this.#link);
  }

  report(entries: readonly TaskReport[]): void {
    report(this.#link, entries);
  }

  #end(why: string): SessionEnd {
    const link = this.#link;
    if (link.beating !== null) clearInterval(link.beating);
    clearTimeout(link.patience);
    link.outgoing.closed();
    const lived = link.phase === "live";
    if (lived) link.options.tests.connect(null);
    link.phase = "over";
    if (link.refusal === null) return { is: "closed", why, lived };
    const { code, message, hint } = link.refusal;
    return { is: "refused", code, message, hint };
  }

  #receive(data: unknown): void {
    const read = fromText(toAgent, typeof data === "string" ? data : "");
    if (read.is === "unreadable") {
      this.#link.refusal = {
        type: "refused",
        code: "malformed",
        message: "the server's message is of another protocol",
        hint: "are both of the same release?",
      };
      this.#socket.close();
      return;
    }
    // Messages are handled one after another: the records that one message changes are on disk before the next message
    // is handled.
    this.#taking = this.#taking
      .then(() => this.#take(read.value))
      .catch((error: unknown) => {
        this.#socket.close(4_003, messageOf(error).slice(0, 100));
      });
  }

  async #take(message: ToAgent): Promise<void> {
    // The next connection repeats the messages that were still queued when this one ended.
    if (this.#link.phase === "over") return;
    const take = HANDLERS[message.type] as (link: ServerLink, message: ToAgent) => void | Promise<void>;
    await take(this.#link, message);
  }
}
