// Which accounts a node refuses to a task, by uid and by what the assignment says of its owner and of the server.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refusedAccount } from "../../../src/agent/machine/account";
import { createAccount, firstPersonUid, isSystemName, isSystemUid } from "../../../src/os/process/accounts";

const account = (uid: number) => ({ name: "x", uid, gid: uid, home: "/", shell: "/bin/sh" });
const person = { unix_user: "x", may_be_system: false, server_uid: null };

describe("a task of no admin", () => {
  test.each([0, 1, 250, 999, 65_534, 65_535, 0xffff_ffff])("is not started as uid %d", (uid) => {
    expect(refusedAccount(account(uid), true, person)).toContain("is the system's, so only an admin's tasks");
  });
  test.each([1_000, 66_000, 516_000])("is started as uid %d", (uid) => {
    expect(refusedAccount(account(uid), true, person)).toBeNull();
  });
  test("is not started under the account of the server on this machine, also by an agent of that account", () => {
    for (const switched of [true, false]) {
      const why = refusedAccount(account(1_005), switched, { ...person, server_uid: 1_005 });
      expect(why).toContain("runs this cluster's server");
    }
  });
  test("is started by an agent that is not root under the agent's own account, but never as root", () => {
    expect(refusedAccount(account(250), false, person)).toBeNull();
    expect(refusedAccount(account(0), false, person)).toContain("is the system's");
  });
  test("is refused the same where an older record says nothing of it", () => {
    const older = { unix_user: "x" } as unknown as typeof person;
    expect(refusedAccount(account(0), true, older)).toContain("is the system's");
  });
});

test("a task of an admin is started as anybody", () => {
  const admin = { ...person, may_be_system: true, server_uid: 250 };
  for (const uid of [0, 250, 1_000, 65_534]) expect(refusedAccount(account(uid), true, admin)).toBeNull();
});

describe("the first uid of people", () => {
  const dir = mkdtempSync(join(tmpdir(), "orch-defs-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  test.each([
    ["UID_MIN\t\t\t 500\nUID_MAX 60000\n", 500],
    ["#UID_MIN 5\n  UID_MIN   2000\n", 2_000],
    ["SYS_UID_MIN 100\n", 1_000],
    ["", 1_000],
  ])("is read from %j", (text, first) => {
    const file = join(dir, "login.defs");
    writeFileSync(file, text);
    expect(firstPersonUid(file)).toBe(first);
  });
  test("is 1000 where nothing says it, and uid 0 is never a person's", () => {
    expect(firstPersonUid(join(dir, "none"))).toBe(1_000);
    expect(isSystemUid(0, 0)).toBe(true);
  });
});

test("no account is created under a name of the system", async () => {
  for (const name of ["root", "Root", "toor", "docker", "_apt", "systemd-network"]) {
    expect(isSystemName(name)).toBe(true);
    expect(await createAccount(name, "person")).toBe(`${name} is a name of the system's own`);
  }
  expect(["alice", "rootless", "ml-svc", "orch-task"].filter(isSystemName)).toEqual([]);
});
