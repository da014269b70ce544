// The identity of this agent: its key, its credential from the server, and the certificate that it trusts. It is one
// private file, written once at the join and read at every start.

import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { replaceFile } from "../../os/files/durable";
import { makePrivateDir, readJson, removeFile } from "../../os/files/files";
import { credential, joinAnswer, type Credential, type Machine } from "../../wire/agent";
import { overTls } from "../../wire/address";
import { ApiError, connect, UnreachableError } from "../../wire/client";
import { fetchCertificate, WrongServerError } from "../../wire/pinned";
import { parseToken } from "../../wire/token";
import { FatalAgentError } from "./connection";

export interface AgentIdentity {
  readonly urls: readonly string[];
  readonly pin: string;
  /** The server's certificate (PEM). Null in an identity of an older release, which used no TLS on loopback. */
  readonly certificate: string | null;
  readonly credential: Credential;
  readonly key: KeyObject;
}

const FILE = "identity.json";
const TOKEN_HINT = "get a new one with: orch token new --role agent";

/**
 * Returns the identity in a data directory, or null if this agent has never joined. Throws FatalAgentError when the
 * file is broken.
 */
export function readIdentity(data: string): AgentIdentity | null {
  const read = readJson(join(data, FILE));
  if (read.is === "missing") return null;
  const value = read.is === "there" ? (read.value as Record<string, unknown> | null) : null;
  const signed = credential.safeParse(value?.["credential"]);
  const { urls, pin, certificate, key } = value ?? {};
  if (!signed.success || !Array.isArray(urls) || typeof pin !== "string" || typeof key !== "string") {
    throw new FatalAgentError(
      "identity",
      `${join(data, FILE)} cannot be read`,
      "move it away and join again with a new token; tasks on this machine go on",
    );
  }
  return {
    urls: urls.map((url) => overTls(String(url))),
    pin,
    certificate: typeof certificate === "string" ? certificate : null,
    credential: signed.data,
    key: createPrivateKey(key),
  };
}

export interface JoinOptions {
  readonly data: string;
  readonly urls: readonly string[];
  readonly token: string;
  readonly name: string | null;
  readonly machine: Machine;
}

/** Joins the cluster with a token and stores the identity. Throws FatalAgentError with a hint for people. */
export async function joinCluster(options: JoinOptions): Promise<AgentIdentity> {
  const token = parseToken(options.token);
  if (token === null) throw new FatalAgentError("token", "the join token is not whole", TOKEN_HINT, 2);
  const url = options.urls[0] ?? "";
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const public_key = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  try {
    const certificate = await fetchCertificate(url, token.pin);
    const client = connect({ url, token: options.token, ca: certificate });
    const answer = joinAnswer.parse(await client.join({ name: options.name, public_key, machine: options.machine }));
    const identity: AgentIdentity = {
      urls: options.urls,
      pin: token.pin,
      certificate,
      credential: answer.credential,
      key: privateKey,
    };
    await keep(options.data, identity);
    return identity;
  } catch (error) {
    throw explained(error, url);
  }
}

/**
 * Returns the function that gives the server's certificate. It is the stored one; an identity without one gets it from
 * the server, once the server has proven the pinned key, and keeps it.
 */
export function trustOf(data: string, identity: AgentIdentity, signal: AbortSignal): (url: string) => Promise<string> {
  let known = identity.certificate;
  return async (url) => {
    if (known !== null) return known;
    known = await fetchCertificate(url, identity.pin, signal);
    await keep(data, { ...identity, certificate: known });
    return known;
  };
}

/** Removes the identity of a node that is out of its cluster, so that nothing here acts as that node any more. */
export function forgetIdentity(data: string): void {
  for (const file of [FILE, "fence.json"]) removeFile(join(data, file));
}

async function keep(data: string, { urls, pin, certificate, credential: signed, key }: AgentIdentity): Promise<void> {
  makePrivateDir(data);
  const text = JSON.stringify(
    { urls, pin, certificate, credential: signed, key: key.export({ type: "pkcs8", format: "pem" }) },
    null,
    2,
  );
  await replaceFile(join(data, FILE), `${text}\n`);
}

/** Returns the exit code for a refusal: not allowed, a wrong request, or else a failure. */
const exitOf = (code: string): number =>
  code === "unauthenticated" || code === "forbidden" ? 4 : code === "bad_request" ? 2 : 1;

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
  if (error instanceof WrongServerError) return new FatalAgentError("wrong_server", error.message, error.hint, 3);
  if (!(error instanceof ApiError)) return error;
  const denied = error.code === "unauthenticated" || error.code === "forbidden";
  return new FatalAgentError(error.code, error.message, error.hint ?? (denied ? TOKEN_HINT : null), exitOf(error.code));
}
