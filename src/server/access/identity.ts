// Who this server is, from its data directory: made at the first start, required at every other. Its key signs the
// credentials of nodes.

import { createHmac, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { canonicalJson } from "../../core/canonical";
import type { Passed, Stamp } from "../../core/model/record";
import type { NodeRow } from "../../core/model/rows-node";
import type { Ms } from "../../core/units";
import { replaceFileNow } from "../../os/files/durable";
import { readText } from "../../os/files/files";
import type { z } from "zod";
import type { Credential } from "../../wire/agent";
import { joinText, type joinRequest } from "../../wire/join";
import { pinOf } from "../../wire/pinned";
import { makeCertificate, type KeyPair } from "./certificate";
import type { Identity } from "../context";
import { RefusedError, StartError } from "../refused";

const KEY = "key.pem";
const CERTIFICATE = "certificate.pem";
const BRING_BACK =
  "Put key.pem and certificate.pem back from a copy of that directory. Without a copy nobody can prove this server: " +
  "move the directory aside and start a new cluster; its tasks run on";

export interface OwnIdentity extends Identity {
  readonly key_pem: string;
}

/** Reads the key pair, or makes it if there is none and the cluster is new. Throws StartError. */
export async function openIdentity(
  dir: string,
  cluster_id: string,
  is_new: boolean,
  serial: string,
): Promise<OwnIdentity> {
  const pair = readPair(dir) ?? (await firstPair(dir, is_new, serial));
  const key = privateKeyOf(pair, dir);
  const own = createPublicKey(pair.certificate_pem);
  if (!createPublicKey(key).equals(own)) {
    throw new StartError(`${join(dir, KEY)} and ${CERTIFICATE} do not belong together`, BRING_BACK);
  }
  const secret = key.export({ type: "pkcs8", format: "der" });
  return {
    ...pair,
    cluster_id,
    pin: pinOf(pair.certificate_pem),
    sign: (text) => sign("sha256", Buffer.from(text), key).toString("base64"),
    verify: (text, signature) => verify("sha256", Buffer.from(text), own, Buffer.from(signature, "base64")),
    derive: (label) => createHmac("sha256", secret).update(`orch-derive-v1\n${label}`).digest("hex"),
  };
}

function readPair(dir: string): KeyPair | null {
  const [key_pem, certificate_pem] = [KEY, CERTIFICATE].map((name) => {
    const read = readText(join(dir, name));
    if (read.is === "failed") throw new StartError(`cannot read ${join(dir, name)}: ${read.why}`, null);
    return read.is === "there" ? read.text : null;
  });
  return typeof key_pem === "string" && typeof certificate_pem === "string" ? { key_pem, certificate_pem } : null;
}

async function firstPair(dir: string, is_new: boolean, serial: string): Promise<KeyPair> {
  if (!is_new) {
    throw new StartError(
      `${join(dir, KEY)} is gone, and every token and agent of this cluster trusts that key alone`,
      BRING_BACK,
    );
  }
  const pair = await makeCertificate(serial);
  replaceFileNow(join(dir, KEY), pair.key_pem, "durable");
  replaceFileNow(join(dir, CERTIFICATE), pair.certificate_pem, "durable");
  return pair;
}

function privateKeyOf(pair: KeyPair, dir: string): KeyObject {
  try {
    return createPrivateKey(pair.key_pem);
  } catch (error) {
    throw new StartError(`${join(dir, KEY)} is not a private key`, BRING_BACK, {
      cause: error,
    });
  }
}

function claimsText(claims: Omit<Credential, "signature">): string {
  const { cluster_id, node_id, name, public_key, fingerprint, since_ms, pool } = claims;
  const who = { cluster_id, node_id, name, public_key, fingerprint };
  return since_ms === undefined
    ? `orch-credential-v1\n${canonicalJson(who)}`
    : `orch-credential-v2\n${canonicalJson({ ...who, since_ms, pool: pool ?? null })}`;
}

/** Signs who a node is: it lets in again a node that joined after a backup was made. */
export const signCredential = (identity: Identity, claims: Omit<Credential, "signature">): Credential => ({
  ...claims,
  signature: identity.sign(claimsText(claims)),
});

/** Returns the credential of a node with its present key. `pool` is the one that its join token names, or null. */
export const credentialFor = (identity: Identity, node: NodeRow, pool: string | null): Credential => {
  const { id: node_id, name, public_key, fingerprint } = node;
  const { cluster_id } = identity;
  return signCredential(identity, {
    cluster_id,
    node_id,
    name,
    public_key,
    fingerprint,
    since_ms: keySinceMs(node),
    pool,
  });
};

/** Returns when the node's present key became its key. */
export const keySinceMs = ({ rebound, joined_ms }: Pick<NodeRow, "rebound" | "joined_ms">): Ms =>
  rebound?.at_ms ?? joined_ms;

/** Returns whether an Ed25519 key (SPKI, base64) has signed the text. */
export function signatureHolds(public_key: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(public_key, "base64"), format: "der", type: "spki" });
    return (
      key.asymmetricKeyType === "ed25519" && verify(null, Buffer.from(text), key, Buffer.from(signature, "base64"))
    );
  } catch (malformed) {
    // A key or signature that is not well formed does not hold either.
    return malformed === undefined;
  }
}

/**
 * Throws RefusedError unless the key of a join request has signed it, and so has the key that vouches for it, if one
 * does: a key is named by nobody but its holder.
 */
export function requireSigned(identity: Identity, token_id: string, request: z.infer<typeof joinRequest>): void {
  const { public_key, signature, vouched, machine } = request;
  const text = joinText(identity.pin, token_id, public_key, machine.fingerprint);
  const whole =
    signatureHolds(public_key, text, signature) &&
    (vouched === null || signatureHolds(vouched.public_key, text, vouched.signature));
  if (whole) return;
  throw new RefusedError("bad_request", "the request is not signed by the key that it names", null);
}

type Passing = Omit<Stamp, "session" | "signature">;

const passedText = ({ cluster_id, timeline, epoch, revision }: Passing): string =>
  `orch-stamp-v1\n${canonicalJson({ cluster_id, timeline, epoch, revision })}`;

/** Signs how far this server has come: an agent shows it later, to a server whose database may be older. */
export const signPassed = (identity: Identity, at: Passing): string => identity.sign(passedText(at));

/** Returns whether a server of this cluster, with this key, has signed the stamp. */
export const verifyPassed = (identity: Identity, { signature, ...at }: Passed): boolean =>
  identity.verify(passedText({ cluster_id: identity.cluster_id, ...at }), signature);

export const verifyCredential = (identity: Identity, credential: Credential): boolean =>
  identity.verify(claimsText(credential), credential.signature);
