// Trust in a server by the hash of its key. The client fetches the certificate without telling anything about itself,
// compares its key, and then requires it.

import { DialError, proxyOf, requestOptions } from "./dial";
import { wholeText } from "./text";

/** The name in every server's certificate, whatever address it is reached under. */
export const SERVER_NAME = "orch-server";

/** Returns the SHA-256 hash of a certificate's public key (SPKI) in hex: the pin in every token. */
export function pinOf(certificate_pem: string): string {
  // With it comes all of node's streams, which most commands never need.
  const { X509Certificate } = process.getBuiltinModule("node:crypto");
  const { publicKey } = new X509Certificate(certificate_pem);
  return new Bun.CryptoHasher("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("hex");
}

/**
 * The TLS options of a pinned connection. `rejectUnauthorized` is explicit, since the environment must not be able to
 * switch it off.
 */
export interface PinnedTls {
  readonly ca: string;
  readonly rejectUnauthorized: true;
  readonly serverName: string;
}

export const pinnedTls = (certificate_pem: string): PinnedTls => ({
  ca: certificate_pem,
  rejectUnauthorized: true,
  serverName: SERVER_NAME,
});

/** The server that answered holds another key than the one that the token was made for. */
export class WrongServerError extends DialError {
  override name = "WrongServerError";
  constructor(message: string, hint = "Is the address right? If the server was set up anew, get a new token from it") {
    super(message, hint);
  }
}

const PLAIN_HINT = "Is the address right? An orch server speaks TLS on every address";

const CERTIFICATE_WITHIN_MS = 10_000;
const MOST_BYTES = 64 * 1024;

/** Returns whether a handshake failed before there was a certificate: the other side does not speak TLS. */
const isNoTls = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  (error.code === "EPROTO" || String(error.code).includes("WRONG_VERSION"));

/**
 * Returns the certificate of the server at `url`, after proving that the server holds the pinned key. Nothing secret is
 * sent before. Throws WrongServerError, or the error of fetch.
 */
export async function fetchCertificate(url: string, pin: string, signal?: AbortSignal): Promise<string> {
  const limit = AbortSignal.timeout(CERTIFICATE_WITHIN_MS);
  const answer = await fetch(new URL("/v1/bootstrap/cert", url), {
    ...requestOptions(proxyOf(url)),
    signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    tls: { rejectUnauthorized: false },
  }).catch((error: unknown) => {
    if (!isNoTls(error)) throw error;
    throw new WrongServerError(`what answers at ${url} speaks no TLS`, PLAIN_HINT);
  });
  if (!answer.ok) throw new WrongServerError(`${url} gave no certificate (${answer.status}): it is not an orch server`);
  const text = (await wholeText(answer, MOST_BYTES)) ?? "";
  const found = pinOrNull(text);
  if (found === null) throw new WrongServerError(`${url} gave no certificate: it is not an orch server`);
  if (found !== pin) {
    throw new WrongServerError(
      `${url} is not the server of this token: its key is ${found.slice(0, 16)}…, ` +
        `the token's is ${pin.slice(0, 16)}…`,
    );
  }
  return text;
}

/** Returns the pin of a certificate, or null if the text is no certificate. */
export function pinOrNull(pem: string): string | null {
  try {
    return pinOf(pem);
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}
