// Specs by their content: the cache is bounded, what is counted of all specs outlives it, and what is stored is read
// as seldom as it can be.

import { Database } from "bun:sqlite";
import { expect, spyOn, test } from "bun:test";
import { canonicalJson } from "../../src/core/canonical";
import { migrateDatabase, migrationsFolder } from "../../src/store/migrate";
import { specsOf } from "../../src/store/specs";
import { buildSpec } from "../support/build";

test("a large command or environment is read once for all who ask for it one after the other", () => {
  const db = new Database(":memory:");
  db.run("create table specs (hash text primary key, spec text)");
  const specs = specsOf(db);
  const put = (value: string): string => {
    const spec = buildSpec({ env: { X: value.repeat(100_000) } });
    const hash = specs.hashOf(spec);
    db.run("insert into specs values (?, ?)", [hash, canonicalJson(spec)]);
    return hash;
  };
  const [one, two] = [put("1"), put("2")];
  using parse = spyOn(JSON, "parse");
  for (let n = 0; n < 10; n++) {
    const { command, env } = specs.get(one);
    expect([command, env["X"]?.length]).toEqual([buildSpec().command, 100_000]);
  }
  expect(parse).toHaveBeenCalledTimes(1);
  expect(specs.get(two).env["X"]?.[0]).toBe("2");
  expect(specs.get(one).env["X"]?.[0]).toBe("1");
  expect(parse).toHaveBeenCalledTimes(3);
  const before = specs.get(one);
  db.run("delete from specs where hash = ?", [one]);
  specs.drop(one);
  expect(() => before.env).toThrow("no spec");
});

test("the members of a spec are known when the rest of it has left the cache", () => {
  const db = new Database(":memory:");
  migrateDatabase(db, migrationsFolder());
  const COUNT = 50_000;
  const spec = buildSpec({ members: 7, env: { A: "x".repeat(1_400) } });
  const insert = db.query("insert into specs (hash, spec) values (?, ?)");
  db.transaction(() => {
    for (let n = 0; n < COUNT; n++) insert.run(`h${n}`, JSON.stringify(spec));
  })();
  const specs = specsOf(db);
  for (let n = 0; n < COUNT; n++) specs.get(`h${n}`);
  db.run("delete from specs where hash in ('h0', 'h1')");
  expect(() => specs.get("h0")).toThrow("no spec");
  expect(specs.members("h0")).toBe(7);
  specs.drop("h1");
  expect(() => specs.members("h1")).toThrow("no spec");
  db.close();
});
