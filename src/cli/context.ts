// The context of a running command: its process, its server, and its output.

import { shellWord } from "../core/shell";
import { isLoopbackHost, listens } from "../wire/dial";
import type { Client } from "../wire/client";
import { parseToken } from "../wire/token";
import { CliError, EXIT, UsageError } from "./failure";
import type { Host } from "./host";
import { clean, cleanJson, cleanLine, cleanLines } from "./print/clean";
import { style, wantsColor, type Style } from "./print/color";
import { type Listing, listing } from "./print/listing";
import { sentence } from "./print/wrap";
import { resolveTarget, type AskedServer, type ServerTarget } from "./cluster/settings";

export interface Context {
  readonly host: Host;
  readonly style: Style;
  readonly asked: AskedServer;
  /** The words that were typed after `orch`, for hints that repeat them. */
  readonly typed: readonly string[];
  /** Returns the time on the server's clock if an answer has told it, and that of this machine before. */
  readonly now: () => number;
  /** Returns the time on the server's clock. It is asked for if no answer has told it yet. */
  serverNow(): Promise<number>;
  /** Returns the server's address and the caller's token. They are looked up once. */
  target(): Promise<ServerTarget>;
  client(): Promise<Client>;
  /** Prints one line on standard output. Whatever a terminal might obey is removed, except colours of ours. */
  print(line: string): void;
  /** Prints a sentence on standard output. On a terminal its lines end between words. */
  say(text: string): void;
  /** Prints a sentence on standard error as `say` does, for what is not part of the answer. */
  note(text: string): void;
  /** Prints a document on standard output, as `--json` shows it. */
  json(document: unknown): void;
  /** Prints a document as one line, for answers that are a line a document. */
  jsonLine(document: unknown): void;
  /** Prints a whole text as it is, for a file or another program. On a terminal it is cleaned. */
  text(text: string): void;
  table<T>(columns: Listing<T>["columns"], rows: readonly T[], more?: Omit<Listing<T>, "columns">): void;
  /** Prints a table at the top of the cleared screen. For a terminal only. */
  screen<T>(columns: Listing<T>["columns"], rows: readonly T[], more?: Omit<Listing<T>, "columns">): void;
}

/** Moves to the first column of the first line, and clears the screen below it. */
const HOME_AND_CLEAR = "\x1b[H\x1b[J";

/** A difference of clocks that is no longer than an answer may travel is none. */
const TRAVEL_MS = 2_000;

export function makeContext(host: Host, asked: AskedServer, typed: readonly string[] = []): Context {
  let target: Promise<ServerTarget> | null = null;
  const findTarget = (): Promise<ServerTarget> => {
    target ??= resolveTarget(asked, host, (token) => parseToken(token)?.pin ?? null);
    return target;
  };
  // How far the server's clock is ahead of this machine's; null before the first answer.
  let ahead_ms: number | null = null;
  const now = (): number => host.now() + (ahead_ms ?? 0);
  const client = async (): Promise<Client> => {
    const found = await findTarget();
    await refuseUnknown(found);
    // Loaded here, so that commands without a server do not load the schemas of its messages.
    const { connect } = await import("../wire/client");
    const heardTime = (server_ms: number): void => {
      const off_ms = server_ms - host.now();
      ahead_ms = Math.abs(off_ms) < TRAVEL_MS ? 0 : off_ms;
    };
    const leftOut = (why: string): void => {
      host.err.write(`orch: an entry of the answer cannot be read and is left out: ${clean(why)}\n`);
    };
    return connect({ ...found, heardTime, leftOut });
  };
  const styled = style(wantsColor(host.out.tty, host.env));
  const lines = <T>(shown: Listing<T>, rows: readonly T[]): string[] => listing(shown, rows, host.out.columns, styled);
  const cleaned = styled.enabled ? cleanLine : clean;
  return {
    host,
    asked,
    typed,
    style: styled,
    now,
    async serverNow() {
      if (ahead_ms === null) await (await client()).health();
      return now();
    },
    target: findTarget,
    client,
    print: (line) => host.out.write(`${cleaned(line)}\n`),
    say: (text) => host.out.write(textOf(sentence(cleaned(text), host.out.columns))),
    note: (text) => host.err.write(textOf(sentence(cleaned(text), host.err.columns))),
    json: (document) => host.out.write(`${cleanJson(document, host.out.tty ? 2 : 0)}\n`),
    jsonLine: (document) => host.out.write(`${cleanJson(document, 0)}\n`),
    text: (text) => {
      const whole = text.endsWith("\n") ? text : `${text}\n`;
      host.out.write(host.out.tty ? cleanLines(whole) : whole);
    },
    table: (columns, rows, more) => host.out.write(textOf(lines({ columns, ...more }, rows))),
    screen: (columns, rows, more) =>
      host.out.write(HOME_AND_CLEAR + textOf(cutTo(lines({ columns, ...more }, rows), host.out.rows))),
  };
}

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

/** Cuts lines to those that fit on the screen with the cursor below them. More would scroll at every redraw. */
function cutTo(lines: readonly string[], rows: number | null): readonly string[] {
  if (rows === null || lines.length < rows) return lines;
  const fitting = Math.max(rows - 2, 1);
  return [...lines.slice(0, fitting), `… and ${lines.length - fitting} more`];
}

/**
 * Throws CliError if nothing proves who the server is: no pin is known here, and no whole token contains one. Where
 * nobody listens, that is said instead.
 */
async function refuseUnknown({ url, token, pin }: ServerTarget): Promise<void> {
  if (pin !== null) return;
  if (token !== null) {
    const hint = "Copy all of it, from orch1- on: it holds the hash of the server's key";
    throw new CliError(EXIT.denied, "the token is not whole, so nothing is sent", hint);
  }
  if (!(await listens(url))) {
    const hint = isLoopbackHost(new URL(url).hostname)
      ? "Start one here with: orch up; log in to another one with: orch login URL"
      : "Is it running (orch server), and is the address right (--url, ORCH_URL)?";
    throw new CliError(EXIT.unreachable, `no server answers at ${url}`, hint);
  }
  const hint = `Log in with: orch login ${url} (or set ORCH_TOKEN). Its admin makes the token with: orch user add NAME`;
  throw new CliError(EXIT.denied, `not logged in to ${url}`, hint);
}

/**
 * Asks a yes-or-no question and returns whether the answer was `y` or `yes`. Without a terminal it throws UsageError,
 * which names the flag that replaces the answer.
 */
export async function confirm(context: Context, question: string): Promise<boolean> {
  requireTerminal(context);
  const answer = await context.host.input.line(`${question} [y/N] `, false);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}

/**
 * Throws UsageError with the typed line and --yes if there is no terminal to ask on, as where standard input `isTaken`.
 */
export function requireTerminal({ host: { input, err }, typed }: Context, isTaken = false): void {
  if (input.tty && err.tty && !isTaken) return;
  // A token is not printed.
  const words = typed.filter((word, at) => !/^--token(=|$)/.test(word) && typed[at - 1] !== "--token");
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const line = [...words.slice(0, end), "--yes", ...words.slice(end)].map(shellWord).join(" ");
  throw new UsageError("there is no terminal to ask on", `Say yes beforehand: orch ${line}`);
}
