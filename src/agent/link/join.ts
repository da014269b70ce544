// Joining the cluster: the agent makes a key, asks with its join token, and waits where an operator has to approve it.
// Key and token are on disk before the first request, so that a request whose answer was lost is repeated, not doubled.

import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { SECOND_MS } from "../../core/units";
import { pause } from "../../os/clock";
import { replaceFile } from "../../os/files/durable";
import { makePrivateDir, readJson, removeFile } from "../../os/files/files";
import { PROTOCOL, type Machine } from "../../wire/agent";
import { fit } from "../../wire/fit";
import { ApiError, connect, UnreachableError } from "../../wire/client";
import { joinAnswer, joinRequest, joinText } from "../../wire/join";
import { DialError } from "../../wire/dial";
import { dialWords } from "../../wire/reach";
import { fetchCertificate } from "../../wire/pinned";
import { parseToken, type Token } from "../../wire/token";
import { FatalAgentError } from "./connection";
import { keepIdentity, type AgentIdentity } from "./identity";

export interface JoinOptions {
  readonly data: string;
  readonly urls: readonly string[];
  /** Null: the token that this agent has asked with before. */
  readonly token: string | null;
  readonly name: string | null;
  readonly machine: Machine;
  /** Other fingerprints that this machine may have joined with. */
  readonly also: readonly string[];
  /** The node's present identity, whose key vouches for the new one, or null. */
  readonly previous: AgentIdentity | null;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The key and the token of an agent that has not joined yet. */
interface Asking {
  readonly key: KeyObject;
  readonly token: string | null;
}

type Answer = ReturnType<typeof joinAnswer.parse>;

const FILE = "joining.json";
const TOKEN_HINT = "get a new one with: orch token new --role agent";
/** The exit code of what was not allowed. */
const DENIED = 4;
const FIRST_WAIT_MS = SECOND_MS;
const LONGEST_WAIT_MS = 5 * SECOND_MS;

/** Returns whether this agent has asked before, and so has a token. */
export const hasAsked = (data: string): boolean => readAsking(data)?.token != null;

/**
 * Joins the cluster and keeps the identity. While an operator has to approve the key, it asks again and again; null if
 * `signal` ends that. Throws FatalAgentError with a hint for people.
 */
export async function joinCluster(options: JoinOptions): Promise<AgentIdentity | null> {
  const { data, urls, signal } = options;
  const before = readAsking(data);
  const text = options.token ?? before?.token ?? "";
  const token = parseToken(text);
  if (token === null) throw new FatalAgentError("token", "the join token is not whole", TOKEN_HINT, 2);
  const key = before?.key ?? generateKeyPairSync("ed25519").privateKey;
  await keepAsking(data, { key, token: text });
  const url = urls[0] ?? "";
  let said = "";
  for (let wait_ms = FIRST_WAIT_MS; !signal.aborted; wait_ms = Math.min(2 * wait_ms, LONGEST_WAIT_MS)) {
    const found = await askOnce(options, url, token, text, key, said !== "").catch(async (error: unknown) => {
      if (signal.aborted) return null;
      // A token that was turned away is not asked with again: the next start takes another one, or asks for it. The key
      // stays, so that an operator who saw it sees the same one.
      if (error instanceof FatalAgentError && error.exit === DENIED) await keepAsking(data, { key, token: null });
      throw error;
    });
    if (found === null) return null;
    if (found.is === "joined") {
      await keepIdentity(data, found.identity);
      removeFile(join(data, FILE));
      return found.identity;
    }
    if (found.line !== said) options.say(found.line);
    said = found.line;
    await pause(wait_ms, signal);
  }
  return null;
}

type Asked =
  { readonly is: "joined"; readonly identity: AgentIdentity } | { readonly is: "waiting"; readonly line: string };

/** Asks once. A server that cannot be reached counts as waiting if it has told this agent to wait before. */
async function askOnce(
  options: JoinOptions,
  url: string,
  token: Token,
  text: string,
  key: KeyObject,
  waited: boolean,
): Promise<Asked> {
  try {
    const certificate = await fetchCertificate(url, token.pin, options.signal).catch((error: unknown) => {
      if (error instanceof DialError || options.signal.aborted) throw error;
      const words = dialWords(error, url);
      const why = words === null ? "" : `: ${words}`;
      throw new UnreachableError(`no server answers at ${url}${why}`, "is it running, and is the port open?", {
        cause: error,
      });
    });
    const client = connect({ url, token: text, ca: certificate });
    const request = requestOf(options, token, key);
    // What a tool of this machine says may be beyond the bounds of a message. It must not keep the machine out.
    const fitted = fit(joinRequest, request);
    const answer = joinAnswer.parse(await client.join(fitted.is === "fitted" ? fitted.value : request));
    if (answer.is === "waiting") return { is: "waiting", line: waitingLine(answer, options.machine) };
    return {
      is: "joined",
      identity: { urls: options.urls, pin: token.pin, certificate, credential: answer.credential, key },
    };
  } catch (error) {
    if (waited && error instanceof ApiError && error.code === "too_many") return { is: "waiting", line: error.message };
    if (waited && error instanceof UnreachableError) {
      return { is: "waiting", line: `no connection to ${url}: ${error.message}; it still waits to be approved` };
    }
    throw explained(error, url);
  }
}

const waitingLine = ({ name, key, why }: Extract<Answer, { is: "waiting" }>, { fingerprint }: Machine): string =>
  `waits to join as ${name}: ${why} (this machine: ${fingerprint}, key ${key})`;

const publicOf = (key: KeyObject): string =>
  createPublicKey(key).export({ type: "spki", format: "der" }).toString("base64");

function requestOf({ name, machine, also, previous }: JoinOptions, token: Token, key: KeyObject) {
  const public_key = publicOf(key);
  const text = Buffer.from(joinText(token.pin, token.id, public_key, machine.fingerprint));
  const signed = (by: KeyObject): string => sign(null, text, by).toString("base64");
  const vouched =
    previous === null ? null : { public_key: previous.credential.public_key, signature: signed(previous.key) };
  return { protocol: PROTOCOL, name, public_key, signature: signed(key), vouched, machine, also: [...also] };
}

/** A file that cannot be read counts as none: the agent then asks with a new key. */
function readAsking(data: string): Asking | null {
  const read = readJson(join(data, FILE));
  const value = read.is === "there" ? (read.value as Record<string, unknown> | null) : null;
  const { key, token } = value ?? {};
  if (typeof key !== "string") return null;
  return { key: createPrivateKey(key), token: typeof token === "string" ? token : null };
}

async function keepAsking(data: string, { key, token }: Asking): Promise<void> {
  makePrivateDir(data);
  const text = JSON.stringify({ key: key.export({ type: "pkcs8", format: "pem" }), token });
  await replaceFile(join(data, FILE), `${text}\n`);
}

/** Returns the exit code for a refusal: not allowed, a wrong request, or else a failure. */
const exitOf = (code: string): number =>
  code === "unauthenticated" || code === "forbidden" ? DENIED : code === "bad_request" ? 2 : 1;

/**
 * Returns an error of the join as FatalAgentError, with its exit code and a hint. Errors that are not the server's or
 * the connection's are returned unchanged.
 */
function explained(error: unknown, url: string): unknown {
  if (error instanceof UnreachableError) {
    return new FatalAgentError(
      "unreachable",
      error.message,
      `is the server at ${url} running, and is the port open?`,
      3,
    );
  }
  if (error instanceof DialError) return new FatalAgentError("dial", error.message, error.hint, 3);
  if (!(error instanceof ApiError)) return error;
  const denied = error.code === "unauthenticated" || error.code === "forbidden";
  return new FatalAgentError(error.code, error.message, error.hint ?? (denied ? TOKEN_HINT : null), exitOf(error.code));
}
