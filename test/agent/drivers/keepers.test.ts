// The keepers of a data directory, as an agent finds them at its start.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Keepers } from "../../../src/agent/drivers/keepers";

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "orch-keepers-"));
});
afterEach(() => {
  rmSync(data, { recursive: true });
});

test("what a dead keeper left, and what cannot be removed like a socket, is no reason not to start", async () => {
  mkdirSync(join(data, "keepers", "7.sock", "in"), { recursive: true });
  chmodSync(join(data, "keepers"), 0o500);
  const nothing = (): void => undefined;
  const told = { say: nothing, told: nothing, gone: nothing, unclear: nothing, known: nothing };
  const keepers = new Keepers({ data, version: "0", command: [], ...told });
  await keepers.find();
  expect(keepers.count()).toBe(0);
  keepers.close();
  chmodSync(join(data, "keepers"), 0o700);
});

test("a keeper that cannot be started is the node's reason, whatever the start throws", async () => {
  const nothing = (): void => undefined;
  const told = { say: nothing, told: nothing, gone: nothing, unclear: nothing, known: nothing };
  const keepers = new Keepers({ data, version: "0", command: ["/nowhere/at/all"], ...told });
  const refused = await keepers.start({ uid: "u" } as never);
  expect(refused).toMatchObject({ is: "refused", why: expect.stringContaining("no keeper can be started") });
  expect(keepers.trouble()).toContain("no keeper can be started");
  keepers.close();
});

test("a keeper that ends before it has answered is noticed at once", async () => {
  const nothing = (): void => undefined;
  const told = { say: nothing, told: nothing, gone: nothing, unclear: nothing, known: nothing };
  const keepers = new Keepers({ data, version: "0", command: ["/bin/sh", "-c", "exit 3"], ...told });
  const refused = await keepers.start({ uid: "u" } as never);
  expect(refused).toMatchObject({ is: "refused", why: expect.stringContaining("the keeper ended with code 3") });
  keepers.close();
}, 10_000);
