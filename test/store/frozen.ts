// One database with one of everything, as text that can be kept: what a release leaves for all later ones to load.
// `bun test/store/frozen.ts 0.1` writes test/golden/databases/0.1.sql, once, at the release of that version.

import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Change } from "../../src/core/model/rows-state";
import { openStore } from "../../src/store/open";
import type { Store } from "../../src/store/store";
import {
  buildApp,
  buildDevice,
  buildEnd,
  buildNode,
  buildRun,
  buildSlot,
  buildSpec,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../support/build";
import { buildUser } from "../support/users";

export const FROZEN = join(import.meta.dir, "..", "golden", "databases");

/** A store whose every table has a row. */
export async function fillEveryTable(store: Store): Promise<void> {
  await store.commit(
    "alice",
    (draft) => {
      const spec_hash = draft.putSpec(buildSpec({ env: { A: "ünïcode 'quoted'" } }));
      const workload = buildWorkload("web", "api", spec_hash),
        run = buildRun(draft.takeRunNumber(), spec_hash);
      const task = buildTask(workload, "n1"),
        old = buildTask(run, "n1", {
          observed: {
            state: "failed",
            started_ms: 1,
            finished_ms: 2,
            exit_code: 1,
            signal: null,
            reason: "line\nbreak",
            peak_memory_bytes: 3,
            tail: null,
          },
        });
      const ended = buildRun(draft.takeRunNumber(), spec_hash, { state: "failed", finished_ms: 2 });
      const rows: Change[] = [
        { table: "nodes", key: "n1", row: buildNode("n1", { devices: [buildDevice("gpu-1")] }) },
        { table: "apps", key: workload.app_uid, row: buildApp("web", { text: "app: web\n" }) },
        { table: "workloads", key: workload.uid, row: workload },
        { table: "runs", key: run.uid, row: run },
        { table: "tasks", key: task.uid, row: task },
        { table: "ports", key: "n1/80", row: { key: "n1/80", until_ms: 9, held_by: null } },
        { table: "slots", key: buildSlot(task).key, row: buildSlot(task, { ends: [buildEnd(task)] }) },
        { table: "users", key: "alice", row: buildUser("alice") },
        {
          table: "tokens",
          key: "t1",
          row: {
            id: "t1",
            user: "alice",
            role: "user",
            hash: "00",
            created_ms: NOW_MS,
            expires_ms: null,
            revoked_ms: null,
            joins: null,
            parent: null,
          },
        },
        { table: "ended_tasks", key: old.uid, row: old },
        { table: "ended_runs", key: ended.uid, row: ended },
        {
          table: "versions",
          key: `${workload.uid}/1/2`,
          row: {
            key: `${workload.uid}/1/2`,
            workload_uid: workload.uid,
            version: 1,
            revision: 2,
            spec_hash,
            settings: workload.settings,
            by: "alice",
            at_ms: NOW_MS,
          },
        },
        { table: "graves", key: "0".repeat(32), row: { uid: "0".repeat(32), at_ms: NOW_MS } },
      ];
      draft.put(rows);
      draft.event({ verb: "apply", object: "web", project: "lab", detail: "it's new" });
    },
    { principal: "alice", key: "key-1", request_hash: "hash" },
  );
}

/** A database as statements that build it, tables before rows. */
export function dumpOf(db: Database): string {
  const schema = db
    .query<{ type: string; name: string; sql: string }, []>(
      "select type, name, sql from sqlite_schema where sql is not null order by type desc, name",
    )
    .all();
  const lines = schema.map(({ sql }) => `${sql};`);
  for (const { name } of schema.filter(({ type }) => type === "table")) {
    const columns = db
      .query<{ name: string }, []>(`pragma table_info("${name}")`)
      .all()
      .map((column) => column.name);
    const cells = columns.map((column) => `quote("${column}")`).join(" || ', ' || ");
    const rows = db.query<{ row: string }, []>(`select ${cells} as row from "${name}" order by 1`).all();
    for (const { row } of rows) {
      lines.push(`insert into "${name}" (${columns.map((column) => `"${column}"`).join(", ")}) values (${row});`);
    }
  }
  return `${lines.join("\n")}\n`;
}

if (import.meta.main) {
  const version = process.argv[2];
  if (version === undefined || !/^\d+\.\d+$/.test(version)) throw new Error("usage: bun test/store/frozen.ts 0.1");
  const dir = mkdtempSync(join(tmpdir(), "orch-frozen-"));
  let drawn = 0;
  const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(++drawn);
  const result = openStore({ dir, clock: () => NOW_MS, host: null, random });
  if (!result.ok) throw new Error(result.message);
  await fillEveryTable(result.store);
  result.store.close();
  const db = new Database(join(dir, "orch.db"), { readonly: true });
  await Bun.write(join(FROZEN, `${version}.sql`), dumpOf(db));
  db.close();
  rmSync(dir, { recursive: true });
}
