// The lines of curl on the reference's page whose subject is an orphan: a node's row is given one. The other lines run
// in test/e2e/api.test.ts.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseListen } from "../../../src/server/http/listen";
import { closePort, openPort } from "../../../src/server/socket";
import { PROOF } from "../../support/over-tls";
import { makeStage, type Stage } from "../stage";

const PAGE = readFileSync(join(import.meta.dir, "..", "..", "..", "docs/reference/api.md"), "utf8");
const APP = "app: web\nservices: { api: { run: sleep 9 } }\n";

let stage: Stage;
let port: ReturnType<typeof openPort>;
let dir = "";
beforeEach(async () => {
  stage = await makeStage();
  port = openPort(stage.app, stage.api.quotas, stage.api.sessions.handlers, parseListen("127.0.0.1:0"), PROOF.tls);
  dir = mkdtempSync(join(tmpdir(), "orch-page-"));
});
afterEach(async () => {
  await closePort(port);
  await stage.close();
  rmSync(dir, { recursive: true });
});

test.each(["stop", "adopt"])("%s", async (verb) => {
  const id = await stage.join("box1");
  await stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body: { text: APP } });
  const orphan = { uid: "ab".repeat(16), name: "web.api.0", pid: 77, held: null, project: "lab", readable: true };
  await stage.api.store.commit("test", (draft) =>
    draft.put([{ table: "nodes", key: id, row: { ...draft.state.nodes.get(id)!, orphans: [orphan] } }]),
  );
  const pin = Buffer.from(PROOF.pin, "hex").toString("base64");
  writeFileSync(
    join(dir, "orch.curl"),
    `header = "authorization: Bearer ${stage.tokens["olga"]}"\npinnedpubkey = "sha256//${pin}"\ninsecure\nsilent\n`,
  );
  const [line = ""] = new RegExp(`curl -K orch.curl .*\\$ORPHAN/${verb}"`).exec(PAGE) ?? [];
  const { uid: ORPHAN } = orphan;
  const env = { PATH: process.env["PATH"] ?? "", ORCH_URL: `https://127.0.0.1:${port.port}`, ORPHAN };
  const asked = Bun.spawn(["sh", "-c", line], { cwd: dir, env, stdout: "pipe" });
  expect(JSON.parse(await new Response(asked.stdout).text())).toEqual({ revision: expect.any(Number) });
});
