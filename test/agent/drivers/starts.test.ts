// A start that is under way may happen from its first moment on. One that cannot be made fails after a while, and is
// tried again; it never resolves with nothing begun and nothing known.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessOf } from "../../../src/agent/devices/access";
import { createStarts } from "../../../src/agent/drivers/starts";
import type { TaskOrder } from "../../../src/agent/keeper/messages";
import { createAccounts, type TaskAccount } from "../../../src/agent/machine/account";
import { openTaskStore } from "../../../src/agent/tasks/store";
import { bootMs } from "../../../src/os/clock";
import { buildPromised } from "../../support/build";
import { isAlive, processesOf, signal } from "../../support/processes";
import { alive, assignmentFor, begin, ended, makeSite, recordFor, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const isRoot = process.getuid?.() === 0;

let site: Site;
let dir: string;
beforeEach(async () => {
  site = await makeSite();
  dir = mkdtempSync(join(tmpdir(), "orch-starts-"));
});
afterEach(async () => {
  rmSync(dir, { recursive: true });
  expect(await site.close()).toEqual([]);
});

/** The starts over a real store, with accounts that are looked up by the test. */
function startsWith(of: () => Promise<TaskAccount>) {
  const store = openTaskStore(join(dir, "data"), () => undefined);
  const ordered: string[] = [];
  const seen = new Set<string>();
  const starts = createStarts(
    { store, accounts: { of }, access: (promised) => accessOf(promised, [], { keeps: false, mps: null }) },
    {
      isClaimed: (uid) => seen.has(uid),
      wasBegun: () => false,
      look: (uid) => void (store.attempt(uid) === null || seen.add(uid)),
      order: ({ uid }: TaskOrder) => {
        ordered.push(uid);
        return Promise.resolve({ is: "begun" });
      },
    },
  );
  return { store, starts, ordered };
}

test("a task that is claimed while its account is looked up is not ordered", async () => {
  const found = Promise.withResolvers<TaskAccount>();
  const { store, starts, ordered } = startsWith(() => found.promise);
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  await store.write(record);
  const started = starts.start(record.assignment);
  expect(starts.isUnderWay(uid)).toBe(true);
  await store.claimStopped(uid);
  found.resolve(await createAccounts("existing").of(record.assignment));
  await started;
  expect(starts.isUnderWay(uid)).toBe(false);
  expect(ordered).toEqual([]);
  store.close();
});

test("an account that cannot be looked up now costs no attempt, and is asked for again", async () => {
  const accounts = createAccounts("existing");
  let asked = 0;
  const { store, starts, ordered } = startsWith(() =>
    asked++ === 0 ? Promise.resolve({ is: "unclear", why: "getent hangs" }) : accounts.of(record.assignment),
  );
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  await store.write(record);
  const began_ms = bootMs();
  expect(await starts.start(record.assignment).then(() => "begun", String)).toContain("getent hangs");
  expect(bootMs() - began_ms).toBeGreaterThan(900);
  expect(store.wasClaimed(uid)).toBe(false);
  await starts.start(record.assignment);
  expect(ordered).toEqual([uid]);
  store.close();
});

test.if(isRoot)(
  `a directory service that does not answer refuses nobody (root only; this is ${isRoot ? "root" : "not root"})`,
  () => {
    const fake = join(dir, "getent");
    writeFileSync(fake, "#!/bin/sh\nkill -KILL $$\n", { mode: 0o755 });
    const account = join(import.meta.dir, "../../../src/agent/machine/account.ts");
    const script = [
      `const { createAccounts } = await import(${JSON.stringify(account)});`,
      `const wanted = { unix_user: "nobody", may_be_system: true, server_uid: null };`,
      `console.log(JSON.stringify(await createAccounts("existing").of(wanted)));`,
    ].join("\n");
    // The tool is replaced in a mount namespace of its own. The machine's stays as it is.
    const inside = `mount --bind "${fake}" "${Bun.which("getent")}" && exec "${process.execPath}" -e "$0"`;
    const { stdout, stderr } = Bun.spawnSync(["unshare", "--mount", "sh", "-c", inside, script]);
    expect(stderr.toString()).toBe("");
    expect(JSON.parse(stdout.toString())).toMatchObject({ is: "unclear", why: expect.stringContaining("nobody") });
  },
);

test("a task that a directory of ended ones vouches for is over, and not started again and again", async () => {
  const tasks = await site.open();
  await tasks.load();
  const record = recordFor(assignmentFor("echo never"));
  const { uid } = record.assignment;
  await tasks.store.write(record);
  mkdirSync(join(site.data, "ended", uid));
  await tasks.driver.start(record);
  expect(tasks.driver.seen().get(uid)).toMatchObject({ claimed: true, process: { is: "vanished" } });
});

test("a task whose claim is gone, and which its keeper had noted, is over, and not started again", async () => {
  const first = await site.open();
  const record = recordFor(assignmentFor("exec sleep 1000"));
  const uid = await begin(first, record.assignment);
  const pid = await alive(first, uid);
  const keepers = processesOf(site.data).filter(({ command }) => command.includes("keeper"));
  for (const one of keepers) signal(one, "SIGKILL");
  process.kill(pid, "SIGKILL");
  await waitUntil("both to be gone", () => ![pid, ...keepers.map((one) => one.pid)].some((one) => isAlive(one)));
  first.close();
  rmSync(join(site.data, "tasks", uid, "claim"));
  const next = await site.open();
  await next.load();
  await next.driver.start(record);
  expect(next.driver.seen().get(uid)).toMatchObject({ claimed: true, process: { is: "vanished" } });
});

test("a task that lives stays seen when its claim is removed", async () => {
  const tasks = await site.open();
  const uid = await begin(tasks, assignmentFor("exec sleep 1000"));
  const pid = await alive(tasks, uid);
  rmSync(join(site.data, "tasks", uid, "claim"));
  tasks.driver.look(uid);
  expect(tasks.driver.seen().get(uid)).toMatchObject({ claimed: true, process: { is: "alive", handle: { pid } } });
});

test("a port that somebody else holds is refused before anything begins, and named with who holds it", async () => {
  const held = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const tasks = await site.open();
  const publishing = async () => {
    const ports = [{ name: "http", target: held.port, published: held.port, bind: "cluster" as const }];
    return begin(tasks, assignmentFor("echo began", { promised: buildPromised({ ports }) }));
  };
  expect(await ended(tasks, await publishing())).toMatchObject({
    exit_code: null,
    cause: "port_taken",
    reason: expect.stringContaining(`could not start: port ${held.port} is held by pid ${process.pid}, `),
  });
  held.stop(true);
  expect(await ended(tasks, await publishing())).toMatchObject({ exit_code: 0 });
});
