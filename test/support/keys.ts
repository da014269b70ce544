// Keys of simulated nodes: real Ed25519 keys, derived from the nodes' names so that a world is the same each time, and
// kept for the whole process, since making them is slow. The server signs with a plain digest, since its key is not
// under test here.

import { createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";
import { digest128 } from "../../src/core/fresh";
import type { z } from "zod";
import type { Identity } from "../../src/server/context";
import { type Machine, PROTOCOL } from "../../src/wire/agent";
import { joinText, type joinRequest } from "../../src/wire/join";
import { parseToken } from "../../src/wire/token";

/** The beginning of an Ed25519 key in PKCS#8, up to the 32 bytes of its seed. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

export interface NodeKey {
  readonly key: KeyObject;
  /** The public key (SPKI), base64. */
  readonly public_key: string;
}

/** Returns the body of a request to join with this key, signed as an agent signs it. */
export function joinBody(
  { key, public_key }: NodeKey,
  token: string,
  name: string | null,
  machine: Machine,
): z.input<typeof joinRequest> {
  const { pin, id } = parseToken(token) ?? { pin: "", id: "" };
  const text = Buffer.from(joinText(pin, id, public_key, machine.fingerprint));
  const signature = sign(null, text, key).toString("base64");
  return { protocol: PROTOCOL, name, public_key, signature, machine };
}

const kept = new Map<string, NodeKey>();

export function keyOf(name: string): NodeKey {
  const known = kept.get(name);
  if (known !== undefined) return known;
  const seed = Buffer.from(digest128(name) + digest128(`${name}/2`), "hex");
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: "der", type: "pkcs8" });
  const public_key = createPublicKey(key).export({ format: "der", type: "spki" }).toString("base64");
  const made = { key, public_key };
  kept.set(name, made);
  return made;
}

export function identityOf(cluster_id: string): Identity {
  const sign = (text: string): string => digest128(`${cluster_id}/${text}`);
  return {
    cluster_id,
    pin: digest128(cluster_id),
    certificate_pem: "",
    sign,
    verify: (text, signature) => sign(text) === signature,
    derive: (label) => digest128(`${cluster_id}#${label}`),
  };
}
