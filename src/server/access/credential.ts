// A node's proof of who it is, signed with the server's key: it lets in again a node that joined after a backup was
// made.

import { canonicalJson } from "../../core/canonical";
import type { Credential } from "../../wire/agent";
import type { Identity } from "../context";

const textOf = ({ cluster_id, node_id, name, public_key, fingerprint }: Omit<Credential, "signature">): string =>
  `orch-credential-v1\n${canonicalJson({ cluster_id, node_id, name, public_key, fingerprint })}`;

export const signCredential = (identity: Identity, claims: Omit<Credential, "signature">): Credential => ({
  ...claims,
  signature: identity.sign(textOf(claims)),
});

export const verifyCredential = (identity: Identity, credential: Credential): boolean =>
  identity.verify(textOf(credential), credential.signature);
