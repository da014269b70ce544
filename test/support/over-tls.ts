// Servers that tests pretend: they hold a key as a real one does, and are trusted by its pin.

import { makeCertificate, type KeyPair } from "../../src/server/access/certificate";
import { pinOf } from "../../src/wire/pinned";
import { formatToken } from "../../src/wire/token";

const BOOTSTRAP = "/v1/bootstrap/cert";

export interface Proof {
  readonly pair: KeyPair;
  readonly pin: string;
  /** A whole token with this key's pin. */
  readonly token: string;
  /** The options of a TLS server that holds the key. */
  readonly tls: { readonly key: string; readonly cert: string };
}

export async function newProof(): Promise<Proof> {
  const pair = await makeCertificate("02");
  const pin = pinOf(pair.certificate_pem);
  return {
    pair,
    pin,
    token: formatToken({ pin, id: "0123456789", secret: "c0ffee".repeat(6) + "0000" }),
    tls: { key: pair.key_pem, cert: pair.certificate_pem },
  };
}

/** The key of the pretended servers of this process. */
export const PROOF = await newProof();

/** Answers over TLS with the key of PROOF, and gives its certificate away. */
export const serveOverTls = (answer: (request: Request) => Response | Promise<Response>): Bun.Server<undefined> =>
  Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: PROOF.tls,
    fetch: (request) =>
      new URL(request.url).pathname === BOOTSTRAP ? new Response(PROOF.pair.certificate_pem) : answer(request),
  });
