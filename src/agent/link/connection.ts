// Keeps the agent connected: dials the servers in turn, waits between attempts, and throws for refusals that only
// people can resolve.

import type { TaskReport } from "../../core/model/record";
import { CONNECTION_TIMES } from "../../core/limits";
import { SECOND_MS, type Ms } from "../../core/units";
import { pause } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { dialWords, socketWords } from "../../wire/reach";
import type { FetchPart } from "../tasks/inputs";
import type { SessionOptions } from "./link";
import { ServerSession, type SessionEnd } from "./session";

export interface ConnectionOptions extends Omit<SessionOptions, "url" | "certificate"> {
  readonly urls: readonly string[];
  /** Returns the certificate to require of the server at an address. Rejects when it cannot be had. */
  readonly certificate: (url: string) => Promise<string>;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** A refusal that another attempt cannot resolve. Tasks run on; `message` and `hint` are for people. */
export class FatalAgentError extends Error {
  override name = "FatalAgentError";
  readonly code: string;
  readonly hint: string | null;
  readonly exit: number;

  constructor(code: string, message: string, hint: string | null, exit = 1) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.exit = exit;
  }
}

export interface Connection {
  report(entries: readonly TaskReport[]): void;
  /** Reports the machine to the server if it has changed. */
  changed(): void;
  farewell(): void;
  /** Asks the server for the next part of a task's input. */
  readonly fetch: FetchPart;
  /** Resolves when the signal aborts; rejects with `FatalAgentError`. */
  readonly done: Promise<void>;
}

/**
 * The codes of refusals that last until somebody acts on this machine. Other refusals may end by themselves, so the
 * agent tries again.
 */
const FATAL = new Set(["forgotten", "identity_copied", "identity_replaced", "credential", "signature", "protocol"]);
const REFUSED_RETRY_MS = 10 * SECOND_MS;

/**
 * Returns the wait before the next attempt, with full jitter, so that a thousand agents do not come back at once. The
 * first wait is short. The longest is short as well: after a long outage the agents are back as soon as after a short
 * one, and an address that refuses costs nobody anything.
 */
export function reconnectDelayMs(failures: number, random: () => number): Ms {
  return Math.round(random() * Math.min(CONNECTION_TIMES.retry_cap_ms, SECOND_MS * 2 ** Math.min(failures, 10)));
}

/** Returns the wait after an end. A dead connection is dialled again at once, since the server may be there. */
function waitAfter(end: SessionEnd, failures: number, random: () => number): Ms {
  if (end.is === "silent") return 0;
  return end.is === "refused" ? REFUSED_RETRY_MS : reconnectDelayMs(failures, random);
}

export function stayConnected(options: ConnectionOptions): Connection {
  let session: ServerSession | null = null;
  options.signal.addEventListener("abort", () => session?.close(), { once: true });

  /** Dials the server once and talks with it until the connection ends. */
  async function talk(url: string): Promise<SessionEnd> {
    try {
      const certificate = await options.certificate(url);
      if (options.signal.aborted) return { is: "closed", why: "stopped", lived: false };
      session = new ServerSession({ ...options, url, certificate });
    } catch (error) {
      return { is: "closed", why: dialWords(error, url) ?? messageOf(error), lived: false };
    }
    const end = await session.ended;
    session = null;
    return end.is === "closed" && !end.lived ? { ...end, why: await socketWords(end.why, url) } : end;
  }

  async function run(): Promise<void> {
    let failures = 0;
    let said = "";
    for (let turn = 0; !options.signal.aborted; turn++) {
      const url = options.urls[turn % options.urls.length] ?? "";
      const end = await talk(url);
      if (options.signal.aborted) return;
      if (end.is === "refused" && FATAL.has(end.code)) throw new FatalAgentError(end.code, end.message, end.hint);
      const line = describe(url, end);
      if (line !== said) options.say(line);
      said = line;
      failures = end.is === "silent" || (end.is === "closed" && end.lived) ? 0 : failures + 1;
      await pause(waitAfter(end, failures, options.random), options.signal);
    }
  }

  return {
    report: (entries) => session?.report(entries),
    changed: () => session?.changed(),
    farewell: () => session?.farewell(),
    fetch: (uid, offset) => session?.fetch(uid, offset) ?? Promise.resolve({ is: "unconnected" }),
    done: run(),
  };
}

function describe(url: string, end: SessionEnd): string {
  if (end.is !== "refused") return `no connection to ${url}: ${end.why}; trying again, tasks go on`;
  return `refused by ${url}: ${end.message}${end.hint === null ? "" : `; ${end.hint}`}; trying again, tasks go on`;
}
