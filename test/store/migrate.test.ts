// Migrations: made from the tables and complete, strict, whole or not at all, with a copy from before, never backwards.

import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../src/core/assert";
import { knownSchemas, migrationsFolder } from "../../src/store/migrate";
import { randomMoment } from "../support/wait";
import { opened, port, refused, removeScratch, scratch, seeded, sumOf, tryOpen } from "./scratch";

afterAll(removeScratch);

const ROOT = join(import.meta.dir, "..", "..");

/** The program's migrations with further ones behind them, as a newer version would have. */
function newerMigrations(...sql: string[]): string {
  const folder = scratch();
  cpSync(migrationsFolder(), folder, { recursive: true });
  const file = join(folder, "meta", "_journal.json");
  const journal = JSON.parse(readFileSync(file, "utf8")) as { entries: object[] };
  const last = knownSchemas(folder).at(-1) ?? 0;
  sql.forEach((text, i) => {
    const tag = `900${i}_later`;
    writeFileSync(join(folder, `${tag}.sql`), text);
    const idx = journal.entries.length,
      when = last + 1_000 * (i + 1);
    journal.entries.push({ idx, version: "6", when, tag, breakpoints: true });
  });
  writeFileSync(file, JSON.stringify(journal));
  return folder;
}

async function filled(dir: string): Promise<void> {
  const store = opened(dir);
  await store.commit("alice", (draft) => draft.put([port("a")]));
  store.close();
}

test("the migrations are all that the tables need", async () => {
  const argv = [process.execPath, "scripts/migrations.ts", "--check"];
  const check = Bun.spawn(argv, { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(check.stdout).text(), new Response(check.stderr).text()]);
  expect({ out, err, code: await check.exited }).toEqual({ out: "migrations are complete\n", err: "", code: 0 });
}, 30_000);

test("every table is strict", () => {
  const dir = scratch();
  opened(dir).close();
  const db = new Database(join(dir, "orch.db"), { readonly: true });
  const tables = db
    .query<{ name: string; strict: number }, []>("pragma table_list")
    .all()
    .filter(({ name }) => !name.startsWith("sqlite_"));
  db.close();
  expect(tables.length).toBeGreaterThan(15);
  expect(tables.filter(({ strict }) => strict !== 1).map(({ name }) => name)).toEqual([]);
});

describe("a newer version", () => {
  test("migrates, keeps a copy from before, and is told to the older one, which touches nothing", async () => {
    const dir = scratch();
    await filled(dir);
    const before = sumOf(join(dir, "orch.db"));
    const migrations = newerMigrations("create table later (a text) strict;");
    const result = tryOpen(dir, { migrations });
    assert(result.ok, "it was refused");
    expect(result.notices.join()).toContain("a copy from before is");
    expect([...result.store.state.ports.keys()]).toEqual(["a"]);
    result.store.close();
    const copies = readdirSync(dir).filter((name) => name.startsWith("orch.db.before-"));
    expect(copies.map((name) => sumOf(join(dir, name)))).toEqual([before]);

    const migrated = sumOf(join(dir, "orch.db"));
    const { code, message } = refused(tryOpen(dir));
    expect([code, message.includes("newer orch")]).toEqual(["newer", true]);
    expect(sumOf(join(dir, "orch.db"))).toBe(migrated);
    opened(dir, { migrations }).close();
  });

  test("whose migration fails leaves the old database as it was", async () => {
    const dir = scratch();
    await filled(dir);
    const broken = newerMigrations("create table later (a text) strict;", "insert into nowhere values (1);");
    const { code, message } = refused(tryOpen(dir, { migrations: broken }));
    expect([code, message.includes("no such table: nowhere")]).toEqual(["migration", true]);
    const store = opened(dir);
    expect([...store.state.ports.keys()]).toEqual(["a"]);
    store.close();
  });

  test("killed at any moment of a migration leaves the old tables or the new ones", async () => {
    const dir = scratch();
    await filled(dir);
    const rows = 200_000;
    const steps = [
      `create table later (a integer) strict;--> statement-breakpoint
      insert into later with recursive n(i) as
        (select 1 union all select i + 1 from n where i < ${rows}) select i from n;`,
      "create index later_a on later (a);--> statement-breakpoint alter table later add column b text;",
    ];
    const migrations = newerMigrations(...steps);
    const script = `
      const { openStore } = await import(${JSON.stringify(join(ROOT, "src/store/open.ts"))});
      console.log("start");
      openStore({ dir: ${JSON.stringify(dir)}, migrations: ${JSON.stringify(migrations)}, host: null,
        clock: () => Date.now(), random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)) });`;
    const dice = seeded(3);
    const seen = new Set<string>();
    for (let round = 0; round < 8; round++) {
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "ignore" });
      await child.stdout.getReader().read();
      await randomMoment(150, dice);
      child.kill("SIGKILL");
      await child.exited;
      const db = new Database(join(dir, "orch.db"));
      const there = db.query("select sql from sqlite_schema where name like 'later%' order by name").values().length;
      const counted = "select count(*) as n from later where b is null";
      const count = there === 0 ? 0 : db.query<{ n: number }, []>(counted).get()?.n;
      seen.add(`${there} ${count}`);
      db.close();
    }
    expect([...seen].filter((state) => state !== "0 0" && state !== `2 ${rows}`)).toEqual([]);
    const store = opened(dir, { migrations });
    expect([...store.state.ports.keys()]).toEqual(["a"]);
    store.close();
  }, 30_000);
});
