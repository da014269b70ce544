// The server's key and self-signed certificate, made once. Every token and every agent pins that key.

import { DAY_MS, type Ms } from "../../core/units";
import { SERVER_NAME } from "../../wire/pinned";

export interface KeyPair {
  readonly key_pem: string;
  readonly certificate_pem: string;
}

const VALID_MS = 3_653 * DAY_MS;
/** The certificate is valid from before its creation, since the clocks of other machines may be behind. */
const BEFORE_MS = 2 * DAY_MS;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/**
 * Makes a P-256 key and a certificate for `orch-server` and `localhost`, valid for ten years. The library is loaded for
 * this first start alone.
 */
export async function makeCertificate(now_ms: Ms, serial: string): Promise<KeyPair> {
  // The polyfill must be evaluated before the library, also in a bundle.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial,
      name: `CN=${SERVER_NAME}`,
      keys,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(now_ms - BEFORE_MS),
      notAfter: new Date(now_ms + VALID_MS),
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: "dns", value: SERVER_NAME },
          { type: "dns", value: "localhost" },
        ]),
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, true),
      ],
    },
    crypto,
  );
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const lines = pkcs8.match(/.{1,64}/g) ?? [];
  return {
    key_pem: `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`,
    certificate_pem: `${certificate.toString("pem").trim()}\n`,
  };
}
