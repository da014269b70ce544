// A full disk, on a real small file system: refused is refused, acknowledged is there, room is all it takes to go on.

import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StorageError } from "../../src/store/errors";
import type { Store } from "../../src/store/store";
import { buildApp } from "../support/build";
import { opened, port, refused, tryOpen } from "./scratch";

const mounts: string[] = [];
const run = (...argv: string[]): { ok: boolean; said: string } => {
  const { exitCode, stderr } = Bun.spawnSync(argv, { stderr: "pipe" });
  return { ok: exitCode === 0, said: stderr.toString().trim() };
};

/** A file system in memory of so many MiB, or why there is none. */
function mounted(mebibytes: number): { dir: string } | { why: string } {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return { why: "only root can mount" };
  const dir = mkdtempSync(join(tmpdir(), "orch-disk-"));
  const { ok, said } = run("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m,mode=0700`, "tmpfs", dir);
  if (!ok) {
    rmdirSync(dir);
    return { why: said };
  }
  mounts.push(dir);
  return { dir };
}

function unmountAll(): void {
  for (const dir of mounts.splice(0)) {
    expect(run("umount", dir)).toEqual({ ok: true, said: "" });
    rmdirSync(dir);
  }
}
afterEach(unmountAll);

const trial = mounted(1);
unmountAll();
if ("why" in trial) console.log(`skipped: tests of a full disk, because ${trial.why}`);
const onDisk = test.skipIf("why" in trial);

function disk(mebibytes: number): string {
  const made = mounted(mebibytes);
  if ("why" in made) throw new Error(made.why);
  return made.dir;
}

/** Commits changes of 8 KiB until one is refused; gives back what was acknowledged and the refusal. */
async function fill(store: Store): Promise<{ acknowledged: string[]; error: unknown }> {
  const acknowledged: string[] = [];
  for (let i = 0; i < 10_000; i++) {
    const uid = `app-${i}`;
    const row = { ...buildApp(uid), uid, text: "x".repeat(8_192) };
    try {
      await store.commit("alice", (draft) => draft.put([{ table: "apps", key: uid, row }]));
    } catch (error) {
      return { acknowledged, error };
    }
    acknowledged.push(uid);
  }
  throw new Error("the disk never got full");
}

onDisk("a full disk refuses with a clear code, loses nothing, and is written again once there is room", async () => {
  const dir = disk(3);
  const store = opened(dir);
  const { acknowledged, error } = await fill(store);
  expect(error).toBeInstanceOf(StorageError);
  expect(error).toMatchObject({ code: "storage_full", message: "no space is left for the database" });
  expect(acknowledged.length).toBeGreaterThan(20);
  expect([...store.state.apps.keys()]).toEqual(acknowledged);
  expect(await fill(store).then(({ error: again }) => again)).toMatchObject({ code: "storage_full" });

  expect(run("mount", "-o", "remount,size=32m", dir)).toEqual({ ok: true, said: "" });
  const { revision } = await store.commit("alice", (draft) => draft.put([port("after")]));
  expect(revision).toBe(store.state.cluster.revision);
  store.close();
  const next = opened(dir);
  expect([...next.state.apps.keys()].toSorted()).toEqual(acknowledged.toSorted());
  expect(next.state.ports.has("after")).toBe(true);
  next.close();
});

onDisk("a server starts on a full disk by its ballast; without one it says so and loses nothing", async () => {
  const dir = disk(20);
  const filler = join(dir, "filler");
  const store = opened(dir);
  await store.commit("alice", (draft) => draft.put([port("a")]));
  store.close();
  run("dd", "if=/dev/zero", `of=${filler}`, "bs=4096");
  const low = opened(dir);
  expect(low.health().is).toBe("low");
  await low.commit("alice", (draft) => draft.put([port("b")]));
  low.close();
  run("dd", "if=/dev/zero", `of=${filler}`, "bs=4096", "oflag=append", "conv=notrunc");
  const { code, message } = refused(tryOpen(dir));
  expect([code, message.includes("ENOSPC")]).toEqual(["not_writable", true]);
  rmSync(filler);
  const next = opened(dir);
  expect([[...next.state.ports.keys()], next.health()]).toEqual([["a", "b"], { is: "ok" }]);
  next.close();
});

onDisk("the ballast gives room for what must still be written, and is taken back when there is room", async () => {
  const dir = disk(48);
  const store = opened(dir);
  expect(existsSync(join(dir, "ballast"))).toBe(true);
  run("dd", "if=/dev/zero", `of=${join(dir, "filler")}`, "bs=4096");
  expect(store.health()).toEqual({ is: "ok" });
  let commits = 0;
  while (store.health().is === "ok") {
    const uid = `app-${commits++}`;
    await store.commit("alice", (draft) =>
      draft.put([{ table: "apps", key: uid, row: { ...buildApp(uid), uid, text: "x".repeat(8_192) } }]),
    );
  }
  expect(store.health().is).toBe("low");
  expect(existsSync(join(dir, "ballast"))).toBe(false);
  expect(store.state.apps.size).toBe(commits);
  await store.commit("alice", (draft) => draft.put([port("a stop still fits")]));

  const keep = {
    ended_age_ms: 1,
    ended_tasks: 1,
    ended_runs: 1,
    events_age_ms: 1,
    events: 1,
    node_tests: 50,
    versions: 50,
  };
  store.prune(store.now(), keep);
  expect(store.health().is).toBe("low");
  rmSync(join(dir, "filler"));
  store.prune(store.now(), keep);
  expect(store.health()).toEqual({ is: "ok" });
  expect(existsSync(join(dir, "ballast"))).toBe(true);
  store.close();
});
