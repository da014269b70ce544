// The server's certificate is public, and the file that it lies in is its account's own, as docs/security.md says.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { openIdentity, type OwnIdentity } from "../../../src/server/access/identity";
import { makeScratch, removeScratch } from "../../support/scratch";
import { makeStage } from "../stage";

let dir: string;
let identity: OwnIdentity;
beforeAll(async () => {
  dir = makeScratch("identity");
  identity = await openIdentity(dir, "0123", true, "01");
});
afterAll(() => removeScratch(dir));

test("the files of a server's key and certificate are for its account alone", () => {
  for (const name of ["key.pem", "certificate.pem"]) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(dir, "certificate.pem"), "utf8")).toBe(identity.certificate_pem);
});

test("the certificate is given to anybody", async () => {
  const stage = await makeStage();
  const { status, body } = await stage.call("GET", "/v1/bootstrap/cert", { as: null });
  expect([status, body]).toEqual([200, { text: stage.tls.cert }]);
  await stage.close();
});
