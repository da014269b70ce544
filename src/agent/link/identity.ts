// The identity of this agent: its key, its credential from the server, and the certificate that it trusts. It is one
// private file, written once at the join and read at every start.

import { createPrivateKey, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { replaceFile } from "../../os/files/durable";
import { exists, makePrivateDir, readJson, removeFile } from "../../os/files/files";
import { credential, type Credential } from "../../wire/agent";
import { overTls } from "../../wire/dial";
import { fetchCertificate } from "../../wire/pinned";
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

/**
 * Returns the identity in a data directory, or null if this agent has never joined. Throws FatalAgentError when the
 * file is broken.
 */
/** Returns whether an agent with this data directory has joined a cluster. */
export const hasIdentity = (data: string): boolean => exists(join(data, FILE));

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

/**
 * Returns the function that gives the server's certificate. It is the stored one; an identity without one gets it from
 * the server, once the server has proven the pinned key, and keeps it.
 */
export function trustOf(data: string, identity: AgentIdentity, signal: AbortSignal): (url: string) => Promise<string> {
  let known = identity.certificate;
  return async (url) => {
    if (known !== null) return known;
    known = await fetchCertificate(url, identity.pin, signal);
    await keepIdentity(data, { ...identity, certificate: known });
    return known;
  };
}

/** Removes the identity of a node that is out of its cluster, so that nothing here acts as that node any more. */
export function forgetIdentity(data: string): void {
  for (const file of [FILE, "fence.json"]) removeFile(join(data, file));
}

/** Writes the identity down. Resolves when it is durable. */
export async function keepIdentity(
  data: string,
  { urls, pin, certificate, credential: signed, key }: AgentIdentity,
): Promise<void> {
  makePrivateDir(data);
  const text = JSON.stringify(
    { urls, pin, certificate, credential: signed, key: key.export({ type: "pkcs8", format: "pem" }) },
    null,
    2,
  );
  await replaceFile(join(data, FILE), `${text}\n`);
}
