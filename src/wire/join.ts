// How a machine asks to become a node: the request, which the node's new key signs, and its answers.

import { createHash } from "node:crypto";
import { z } from "zod";
import { shellWord } from "../core/shell";
import { credential, machine } from "./agent";
import { int, text } from "./scalars";

/** The body of `POST /v1/join`, which a join token authenticates. */
export const joinRequest = z.object({
  /** Agents of before this field speak protocol 1. */
  protocol: int.default(1),
  name: text.nullable(),
  public_key: text,
  /** Ed25519 over `joinText` by the key: whoever asks holds it. */
  signature: text.default(""),
  /** The signature over the same text by the key that the node has now, which vouches for the new one. */
  vouched: z.object({ public_key: text, signature: text }).nullable().default(null),
  machine,
  /**
   * Other fingerprints that this machine may have joined with: an agent that gives away a part of a machine has another
   * one than an agent that gives away all of it. Agents of before this field send none.
   */
  also: z.array(text).max(8).default([]),
});

/** `waiting`: an operator has to approve the key first. The agent asks again, with the same key. */
export const joinAnswer = z.discriminatedUnion("is", [
  z.object({ is: z.literal("joined"), credential, name: text }),
  z.object({ is: z.literal("waiting"), name: text, key: text, why: text }),
]);

/** Returns the text that a join request signs. It binds the key to the server, the token and the machine. */
export const joinText = (pin: string, token_id: string, public_key: string, fingerprint: string): string =>
  ["orch-join-v1", pin, token_id, public_key, fingerprint].join("\n");

/** Returns the short name by which people compare a key at both ends: the beginning of its SHA-256. */
export const keyId = (public_key: string): string =>
  createHash("sha256").update(Buffer.from(public_key, "base64")).digest("hex").slice(0, 16);

/**
 * Returns the command that joins one more agent of a machine whose first one has its data in `data_dir`. Agents of one
 * machine have each a name, a directory and a share of it.
 */
export const besideAnother = (command: string, data_dir: string): string =>
  `${command} --name more --capacity cpu=1,memory=1GiB --data ${shellWord(`${data_dir}-more`)}`;
