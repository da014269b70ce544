// What a node has: real directories, seen by the agent itself or by another account, and looks that hang.

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAccounts, type Standing } from "../../../src/agent/machine/account";
import { createLooker } from "../../../src/agent/machine/presence";
import { accountOfProcess } from "../../../src/os/machine";

const dir = mkdtempSync(join(tmpdir(), "orch-presence-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
chmodSync(dir, 0o755);
const path = (name: string): string => join(dir, name);
mkdirSync(path("open"));
mkdirSync(path("closed"), { mode: 0o700 });
writeFileSync(path("file"), "");
symlinkSync(path("open"), path("link"));
symlinkSync(path("nowhere"), path("dangling"));

const own = accountOfProcess();
const isRoot = own.uid === 0;
const nobody: Standing = {
  is: "there",
  account: { name: "nobody", uid: 65_534, gid: 65_534, home: "/", shell: "/bin/false" },
  switched: true,
};
const asNobody = { look: () => Promise.resolve(nobody) };

describe("a look", () => {
  const looker = createLooker(createAccounts("existing"));
  const CASES = [
    ["open", "there"],
    ["link", "there"],
    ["file", "no_directory"],
    ["file/below", "missing"],
    ["missing", "missing"],
    ["dangling", "missing"],
  ] as const;
  for (const [name, state] of CASES) {
    test(`at ${name} by the agent's own account finds ${state}`, async () => {
      expect(await looker.look({ account: own.name, path: path(name) })).toBe(state);
    });
    test.skipIf(!isRoot)(`at ${name} by another account finds ${state}`, async () => {
      expect(await createLooker(asNobody).look({ account: "nobody", path: path(name) })).toBe(state);
    });
  }

  test.skipIf(!isRoot)("sees what the account may enter", async () => {
    expect(await createLooker(asNobody).look({ account: "nobody", path: path("closed") })).toBe("closed");
    expect(await looker.look({ account: own.name, path: path("closed") })).toBe("there");
  });

  test.skipIf(!isRoot)("finds accounts, and makes none", async () => {
    const name = "orch-nobody-has-this";
    expect(await looker.look({ account: "daemon", path: null })).toBe("there");
    expect(await looker.look({ account: name, path: null })).toBe("missing");
    expect(await looker.look({ account: name, path: "/" })).toBe("unknown");
    expect(await createLooker(createAccounts("create")).look({ account: name, path: null })).toBe("unknown");
    expect(await createAccounts("existing").look(name)).toEqual({ is: "missing" });
  });

  test("that hangs ends in time, and holds up no other one", async () => {
    const hangs = path("hangs");
    writeFileSync(hangs, '#!/bin/sh\ncase "$*" in *stuck*) exec sleep 1000 ;; esac\nshift 4\nexec "$@"\n', {
      mode: 0o755,
    });
    const slow = createLooker(asNobody, hangs, 300);
    const order: string[] = [];
    const look = async (name: string): Promise<string> => {
      const state = await slow.look({ account: "nobody", path: path(name) });
      order.push(name);
      return state;
    };
    expect(await Promise.all([look("stuck"), look("open")])).toEqual(["silent", "there"]);
    expect(order).toEqual(["open", "stuck"]);
  });

  test("is one for all who ask meanwhile", async () => {
    let looked = 0;
    const counting = createLooker({
      look: () => {
        looked++;
        return Promise.resolve<Standing>({
          is: "there",
          account: { ...own, home: "/", shell: "/bin/sh" },
          switched: false,
        });
      },
    });
    const need = { account: own.name, path: path("open") };
    expect(await Promise.all([counting.look(need), counting.look(need)])).toEqual(["there", "there"]);
    expect(looked).toBe(1);
    await counting.look(need);
    expect(looked).toBe(2);
  });
});
