// One connection of the agent: dials the server and passes each of its messages to the handler of the message's family,
// one after another, until either side closes.

import type { TaskReport } from "../../core/model/record";
import { messageOf } from "../../os/errors";
import { toAgent, toServer, type ToAgent, type ToServer } from "../../wire/agent";
import { proxyOf } from "../../wire/dial";
import { pinnedTls } from "../../wire/pinned";
import { messageFrom, messageText, type Misfit } from "../../wire/fit";
import { endFetches, FETCHES, fetchPart, takeFrame } from "./fetches";
import { GREETING } from "./greeting";
import { LEAVING, sayFarewell } from "./leaving";
import type { ServerLink, ServerHandlers, SessionOptions } from "./link";
import { LOOKS } from "./looks";
import { CONNECTION_TIMES } from "../../core/limits";
import { MACHINE, tellChanges } from "./machine";
import { rejectUnread, UNREAD } from "./unread";
import type { FetchAnswer } from "../tasks/inputs";
import { createSkew } from "./skew";
import { report, WORK } from "./work";

/** How a connection ended, which decides about the next attempt. */
export type SessionEnd =
  | { readonly is: "closed"; readonly why: string; readonly lived: boolean }
  /** The server was welcoming, and then silent: the connection is dead, and the server may well be there. */
  | { readonly is: "silent"; readonly why: string }
  | { readonly is: "refused"; readonly code: string; readonly message: string; readonly hint: string | null };

const OPEN_TOO_LATE = "the server cannot be reached: no connection came about in time";
const WELCOME_TOO_LATE = "the server does not answer";

/** The handler of every message of the server. */
const HANDLERS: ServerHandlers<ToAgent["type"]> = {
  ...GREETING,
  ...WORK,
  ...MACHINE,
  ...LEAVING,
  ...UNREAD,
  ...LOOKS,
  ...FETCHES,
  open: ({ outgoing }, message) => outgoing.take(message),
  credit: ({ outgoing }, message) => outgoing.take(message),
  close: ({ outgoing }, message) => outgoing.take(message),
  test: ({ options }, message) => options.tests.take(message),
  echo: ({ options }, message) => options.tests.take(message),
};

/** The runtime's socket can be ended without the closing handshake, which a dead connection never completes. */
type Socket = WebSocket & { terminate(): void };

/**
 * One connection from dialling to its end. The next connection's inventory contains the reports that this one could not
 * send.
 */
export class ServerSession {
  readonly #socket: Socket;
  readonly #link: ServerLink;
  readonly #settled = Promise.withResolvers<SessionEnd>();
  #taking: Promise<void> = Promise.resolve();
  readonly ended = this.#settled.promise;

  constructor(options: SessionOptions) {
    const url = options.url.replace(/^http/, "ws") + "/v1/agent";
    const trust = { tls: pinnedTls(options.certificate), proxy: proxyOf(options.url) };
    this.#socket = new WebSocket(url, trust as unknown as string[]) as Socket;
    this.#socket.binaryType = "arraybuffer";
    this.#link = {
      options,
      outgoing: options.outgoing((data) => this.#socket.send(data as string)),
      phase: "dialling",
      refusal: null,
      silent_ms: 0,
      skew: createSkew(),
      told: { machine: "", finding_n: 0, leave: null, inventoried: [], results: new Map() },
      inventory: { pages: [], granted: 0 },
      reports: { seq: 0, unacked: [], waiting: new Map(), flushing: false },
      fetches: { n: 0, answered: null },
      beating: null,
      // Without these timers, an open, a challenge or a welcome that never comes would block the agent for ever.
      patience: setTimeout(() => this.#give(OPEN_TOO_LATE), CONNECTION_TIMES.open_within_ms),
      send: (message: ToServer) => {
        if (this.#link.phase !== "over") this.#socket.send(messageText(toServer, message));
      },
      close: (code, why) => this.#close(code, why),
      lose: (why) => this.#give(why),
    };
    let why = "the connection was closed";
    this.#socket.onopen = () => {
      if (this.#link.phase !== "dialling") return;
      clearTimeout(this.#link.patience);
      this.#link.patience = setTimeout(() => this.#give(WELCOME_TOO_LATE), CONNECTION_TIMES.welcome_within_ms);
    };
    this.#socket.onerror = (event) => {
      why = "message" in event ? String(event.message).replace(/^WebSocket connection to '[^']*' failed: /, "") : why;
    };
    this.#socket.onmessage = (event) => this.#receive(event.data);
    this.#socket.onclose = (event) => this.#over(event.reason === "" ? why : event.reason);
  }

  close(): void {
    this.#close();
  }

  /** Asks the server to forget this node. */
  farewell(): void {
    sayFarewell(this.#link);
  }

  /** Reports the machine, its cards and its leave to the server if they have changed. */
  changed(): void {
    tellChanges(this.#link);
  }

  /** Asks for the next part of a task's input. */
  fetch(uid: string, offset: number): Promise<FetchAnswer> {
    return fetchPart(this.#link, uid, offset);
  }

  report(entries: readonly TaskReport[]): void {
    report(this.#link, entries);
  }

  /**
   * Ends the session and says so to the server, whose answer is not waited for. The socket of a server that does not
   * answer is cut off a moment later.
   */
  #close(code?: number, why = "closed by this agent"): void {
    if (this.#link.phase === "over") return;
    this.#over(why);
    this.#socket.close(code, closeReason(why));
    setTimeout(() => this.#socket.terminate(), CONNECTION_TIMES.farewell_ms);
  }

  /** Gives up a connection that is dead: nothing more is sent on it, since nothing would arrive. */
  #give(why: string): void {
    this.#over(why, "silent");
    this.#socket.terminate();
  }

  /** Ends the session for this agent. Called once it is known to be over, whatever becomes of its socket. */
  #over(why: string, is: "closed" | "silent" = "closed"): void {
    const link = this.#link;
    if (link.phase === "over") return;
    if (link.beating !== null) clearInterval(link.beating);
    clearTimeout(link.patience);
    link.outgoing.closed();
    const lived = link.phase === "live";
    if (lived) link.options.tests.connect(null);
    link.phase = "over";
    endFetches(link);
    this.#settled.resolve(endOf(link, why, lived, is));
  }

  #receive(data: unknown): void {
    if (this.#link.phase === "over") return;
    if (data instanceof ArrayBuffer && takeFrame(this.#link, data)) return;
    const read = messageFrom(toAgent, typeof data === "string" ? data : "");
    if (read.is === "unreadable") {
      this.#link.refusal = {
        type: "refused",
        code: "malformed",
        message: `the server's message is of another protocol: ${read.why.slice(0, 200)}`,
        hint: "are both of the same release?",
      };
      this.#close();
      return;
    }
    // Messages are handled one after another: the records that one message changes are on disk before the next message
    // is handled.
    this.#taking = this.#taking
      .then(() => this.#take(read.value, read.misfits))
      .catch((error: unknown) => {
        this.#close(4_003, messageOf(error));
      });
  }

  async #take(message: ToAgent, misfits: readonly Misfit[]): Promise<void> {
    // The next connection repeats the messages that were still queued when this one ended.
    if (this.#link.phase === "over") return;
    const take = HANDLERS[message.type] as (link: ServerLink, message: ToAgent) => void | Promise<void>;
    await take(this.#link, message);
    rejectUnread(this.#link, misfits);
  }
}

/** Cuts the reason of a close to the 123 bytes that WebSocket has for it: a longer one is an error of the call. */
const closeReason = (why: string): string => new TextDecoder().decode(Buffer.from(why).subarray(0, 120));

function endOf({ refusal }: ServerLink, why: string, lived: boolean, is: "closed" | "silent"): SessionEnd {
  if (refusal === null) return is === "silent" && lived ? { is, why } : { is: "closed", why, lived };
  const { code, message, hint } = refusal;
  return { is: "refused", code, message, hint };
}
