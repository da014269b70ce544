// The agent's one connection: dials out and gives each message of the server to its family's handler, one after the
// other, until either side ends it.

import type { TaskReport } from "../../core/model/record";
import { messageOf } from "../../os/errors";
import { toAgent, type ToAgent, type ToServer } from "../../wire/agent";
import { fromText } from "../../wire/text";
import { GREETING } from "./greeting";
import { LEAVING, sayFarewell } from "./leaving";
import type { ServerLink, ServerHandlers, SessionOptions } from "./link";
import { MACHINE, tellChanges } from "./machine";
import { report, WORK } from "./work";

/** How a connection ended, for the one who decides about the next. */
export type SessionEnd =
  | { readonly is: "closed"; readonly why: string; readonly lived: boolean }
  | { readonly is: "refused"; readonly code: string; readonly message: string; readonly hint: string | null };

const WELCOME_WITHIN_MS = 20_000;

/** Every message of the server, and who takes it. */
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

/** One connection from dialling to its end. What it could not report is in the next connection's inventory. */
export class ServerSession {
  readonly #socket: WebSocket;
  readonly #link: ServerLink;
  #taking: Promise<void> = Promise.resolve();
  readonly ended: Promise<SessionEnd>;

  constructor(options: SessionOptions) {
    const url = options.url.replace(/^http/, "ws") + "/v1/agent";
    const tls =
      options.certificate === null
        ? {}
        : { tls: { ca: options.certificate, rejectUnauthorized: true, serverName: "orch-server" } };
    this.#socket = new WebSocket(url, tls as unknown as string[]);
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
      // A challenge or welcome that never comes would leave the agent waiting for ever.
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

  /** The machine, its cards or whether it leaves may have changed: the server is told if it has. */
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
    // One after the other: what a message makes of the records is on disk before the next is looked at.
    this.#taking = this.#taking
      .then(() => this.#take(read.value))
      .catch((error: unknown) => {
        this.#socket.close(4_003, messageOf(error).slice(0, 100));
      });
  }

  async #take(message: ToAgent): Promise<void> {
    // What was still queued when the connection ended is said again in the next one, which is the one that counts now.
    if (this.#link.phase === "over") return;
    const take = HANDLERS[message.type] as (link: ServerLink, message: ToAgent) => void | Promise<void>;
    await take(this.#link, message);
  }
}
