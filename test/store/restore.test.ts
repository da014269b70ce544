// Restoring on purpose: a new timeline above everything known, what was there set aside, nothing touched when refused.

import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { assert } from "../../src/core/assert";
import { restoreDatabase } from "../../src/store/restore";
import type { Restored } from "../../src/store/restore";
import { buildNode } from "../support/build";
import { opened, optionsFor, port, refused, removeScratch, scratch, sumOf, tryOpen } from "./scratch";

afterAll(removeScratch);

const restore = (dir: string, from: string, part: object = {}): Restored =>
  restoreDatabase({ ...optionsFor(dir, part), from });

function restored(dir: string, from: string, part: object = {}): Extract<Restored, { ok: true }> {
  const result = restore(dir, from, part);
  assert(result.ok, result.ok ? "" : result.message);
  return result;
}

/** A directory whose database went on after `backup` was taken. */
async function history(): Promise<{ dir: string; backup: string }> {
  const dir = scratch();
  const backup = join(scratch(), "backup.db");
  const store = opened(dir);
  await store.commit("alice", (draft) => {
    for (const name of ["n2", "n1"]) draft.put([{ table: "nodes", key: name, row: buildNode(name) }]);
    draft.put([port("before")]);
    draft.takeRunNumber();
  });
  store.copyTo(backup);
  await store.commit("alice", (draft) => {
    draft.put([port("after")]);
    for (let i = 0; i < 5; i++) draft.takeRunNumber();
  });
  store.close();
  opened(dir).close();
  return { dir, backup };
}

/** Names and contents; who held the lock last is of no matter. */
const filesOf = (dir: string): (string | null)[][] =>
  readdirSync(dir)
    .filter((name) => name !== "lock.json")
    .toSorted()
    .map((name) => [name, sumOf(join(dir, name))]);

test("a key that was put out after the copy was made is known as such no more, and the restore says so", async () => {
  const { dir, backup } = await history();
  const store = opened(dir);
  await store.commit("olga", (draft) =>
    draft.put([{ table: "graves", key: "key/1", row: { uid: "key/1", at_ms: draft.now_ms } }]),
  );
  expect(store.history.hasGrave("key/1")).toBe(true);
  store.close();
  const { notices } = restored(dir, backup);
  expect(notices.join("\n")).toContain("tokens (orch token ls), and keys of nodes that were put out or refused");
  const after = opened(dir);
  expect(after.history.hasGrave("key/1")).toBe(false);
  after.close();
});

test("a restored database has a new timeline above all, waits for all its nodes, and skips run numbers", async () => {
  const { dir, backup } = await history();
  const present = opened(dir);
  const before = present.state.cluster;
  present.close();
  const noted = (JSON.parse(readFileSync(join(dir, "highest.json"), "utf8")) as { next_run: number }).next_run;
  expect(noted).toBeGreaterThan(before.next_run);
  const { cluster, set_aside } = restored(dir, backup);
  expect(cluster).toMatchObject({
    cluster_id: before.cluster_id,
    revision: before.revision + 1,
    recovering: ["n1", "n2"],
    next_run: noted + 1_000,
  });
  expect(cluster.timeline).not.toBe(before.timeline);

  const store = opened(dir);
  expect([...store.state.ports.keys()]).toEqual(["before"]);
  expect(store.state.cluster).toEqual({ ...cluster, epoch: cluster.epoch + 1, revision: cluster.revision + 1 });
  expect(store.history.events({ limit: 1 })[0]).toMatchObject({ verb: "restore", actor: "orch restore" });
  store.close();

  const old = new Database(set_aside[0]!, { readonly: true });
  expect(old.query("select key from ports order by key").values()).toEqual([["after"], ["before"]]);
  old.close();
  expect(readdirSync(dir).filter((name) => name.startsWith("restoring-"))).toEqual([]);
});

test("a database with its log, as a killed server leaves it, is restored whole", async () => {
  const dir = scratch();
  const from = join(scratch(), "orch.db");
  const store = opened(dir);
  await store.commit("alice", (draft) => draft.put([port("in the log")]));
  for (const part of ["", "-wal"]) copyFileSync(join(dir, `orch.db${part}`), from + part);
  store.close();
  const target = scratch();
  expect(restored(target, from).cluster.recovering).toBeNull();
  const next = opened(target);
  expect([...next.state.ports.keys()]).toEqual(["in the log"]);
  next.close();
});

test("a copied directory comes to another machine by restoring its own database", async () => {
  const { dir } = await history();
  const elsewhere = { host: "c".repeat(32) };
  restored(dir, join(dir, "orch.db"), elsewhere);
  const store = opened(dir, elsewhere);
  expect([...store.state.ports.keys()].toSorted()).toEqual(["after", "before"]);
  store.close();
});

test("a restore that is refused changes nothing", async () => {
  const { dir, backup } = await history();
  const broken = join(scratch(), "broken.db"),
    foreign = join(scratch(), "foreign.db");
  const bytes = readFileSync(backup);
  bytes.fill(0xee, 4 * 4096, 9 * 4096);
  writeFileSync(broken, bytes);
  const stranger = scratch();
  opened(stranger).close();
  copyFileSync(join(stranger, "orch.db"), foreign);

  const before = filesOf(dir);
  const sources = [broken, foreign, join(dir, "ballast"), join(dir, "none")];
  const codes = sources.map((from) => refused(restore(dir, from)).code);
  expect(codes).toEqual(Array(4).fill("bad_source"));
  const holder = opened(stranger);
  expect(refused(restore(stranger, backup)).code).toBe("held");
  holder.close();
  expect(filesOf(dir)).toEqual(before);
});

test("a restore that was cut short is told at the next start, and finished by another one", async () => {
  const { dir, backup } = await history();
  // As after the first rename: the old database is aside, the new one not yet there.
  renameSync(join(dir, "orch.db"), join(dir, "orch.db.set-aside-1"));
  mkdirSync(join(dir, "restoring-1"));
  expect(refused(tryOpen(dir)).code).toBe("missing");
  restored(dir, backup);
  opened(dir).close();
  expect(existsSync(join(dir, "restoring-1"))).toBe(false);

  // As after the last rename: the new database is there, the mark beside it is still the old one.
  const mark = readFileSync(join(dir, "highest.json"));
  restored(dir, backup);
  writeFileSync(join(dir, "highest.json"), mark);
  opened(dir).close();
});

test("a damaged database is replaced by a copy, with what the mark beside it remembers", async () => {
  const { dir, backup } = await history();
  const { epoch } = JSON.parse(readFileSync(join(dir, "highest.json"), "utf8")) as { epoch: number };
  writeFileSync(join(dir, "orch.db"), "gone".repeat(5_000));
  rmSync(join(dir, "orch.db-wal"), { force: true });
  const { cluster, set_aside } = restored(dir, backup);
  expect(cluster.epoch).toBeGreaterThan(epoch);
  expect(readFileSync(set_aside[0]!, "utf8")).toStartWith("gone");
  opened(dir).close();
});

test("a copy is refused where a file is, and leaves nothing when it fails", async () => {
  const dir = scratch();
  const store = opened(dir);
  expect(() => store.copyTo(join(dir, "orch.db"))).toThrow("exists");
  expect(() => store.copyTo(join(dir, "no", "such", "place"))).toThrow("no copy was made");
  await store.commit("alice", (draft) => draft.put([port("a")]));
  store.copyTo(join(dir, "copy"));
  expect(readdirSync(dir).filter((name) => name.startsWith("copy"))).toEqual(["copy"]);
  store.close();
});
