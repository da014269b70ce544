// A command line on a machine whose clock is wrong: times are told, shown and asked for on the server's clock.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeContext } from "../../src/cli/context";
import { dispatch } from "../../src/cli/dispatch";
import { EXIT } from "../../src/cli/failure";
import { HOUR_MS, MINUTE_MS } from "../../src/core/units";
import { startServer, type RunningServer } from "../../src/server/server";
import { stage } from "./stage";

let dir: string;
let server: RunningServer;
let env: Record<string, string>;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "orch-clock-"));
  const listen = "127.0.0.1:0";
  const settings = { data_dir: dir, listen, hosts: [], approve: false, settings: {}, version: "0.1.0" };
  server = await startServer({ ...settings, say: () => undefined });
  const { url } = JSON.parse(await readFile(join(dir, "server", "client.json"), "utf8")) as { url: string };
  env = { ORCH_URL: url, ORCH_TOKEN: (await readFile(join(dir, "server", "admin.token"), "utf8")).trim() };
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});

describe.each([
  ["ahead", 2 * HOUR_MS],
  ["behind", -2 * HOUR_MS],
])("a client whose clock is 2 h %s", (_name, by_ms) => {
  const onStage = () => stage({ env, home: dir, now_ms: Date.now() + by_ms });

  test("makes a token that lives as long as was said", async () => {
    const { host, out, err } = onStage();
    const line = ["token", "new", "--role", "viewer", "--user", "admin", "--expires", "1h", "--json"];
    expect([await dispatch(line, host), err()]).toEqual([EXIT.done, ""]);
    const { expires_ms } = JSON.parse(out()) as { expires_ms: number };
    expect(Math.abs(expires_ms - (Date.now() + HOUR_MS))).toBeLessThan(MINUTE_MS);
  });

  test("sees the events of the last hour, and no others", async () => {
    const { host, out } = onStage();
    expect(await dispatch(["events", "--since", "1h", "--json"], host)).toBe(EXIT.done);
    expect((JSON.parse(out()) as { events: unknown[] }).events).not.toEqual([]);
    const later = onStage();
    expect(await dispatch(["events", "--since", "0s", "--json"], later.host)).toBe(EXIT.done);
    expect((JSON.parse(later.out()) as { events: unknown[] }).events).toEqual([]);
  });

  test("is told with the nodes how far the server's times are from its own", async () => {
    const { host, err } = onStage();
    expect(await dispatch(["nodes"], host)).toBe(EXIT.done);
    expect(err()).toContain(`the server's times are 2h ${by_ms < 0 ? "ahead of" : "behind"} this machine's clock`);
  });

  test("counts ages on the server's clock", async () => {
    const { host } = onStage();
    const context = makeContext(host, { url: null, token: null, data: null });
    expect(Math.abs((await context.serverNow()) - Date.now())).toBeLessThan(MINUTE_MS);
    expect(Math.abs(context.now() - Date.now())).toBeLessThan(MINUTE_MS);
  });
});
