// The server's key and self-signed certificate, made once. Every token and every agent pins that key.

import { SERVER_NAME } from "../../wire/pinned";

export interface KeyPair {
  readonly key_pem: string;
  readonly certificate_pem: string;
}

/**
 * The certificate is valid at any time, since it is believed for its key alone. A machine whose clock is wrong by years
 * can reach its server all the same.
 */
const ALWAYS = { from: new Date(0), until: new Date("9999-12-31T23:59:59Z") };
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/**
 * Makes a P-256 key and a certificate for `orch-server` and `localhost`. The library is loaded for this first start
 * alone.
 */
export async function makeCertificate(serial: string): Promise<KeyPair> {
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
      notBefore: ALWAYS.from,
      notAfter: ALWAYS.until,
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
