// Makes the migrations: drizzle-kit compares src/store/tables.ts with what migrations/ already builds and writes the
// difference, to which STRICT is added. `--check` fails when there is a difference, and changes nothing.

import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const ROOT = join(import.meta.dir, "..");
const MIGRATIONS = join(ROOT, "migrations");
const KIT = join(ROOT, "node_modules", "drizzle-kit", "bin.cjs");

const sqlFiles = (dir: string): string[] =>
  readdirSync(dir)
    .filter((name) => name.endsWith(".sql"))
    .toSorted();

/** Every table refuses values of another type. Statements end at a breakpoint: the last `)` of one closes its table. */
function withStrict(text: string): string {
  return text
    .split("--> statement-breakpoint")
    .map((statement) =>
      /^\s*CREATE TABLE/.test(statement) ? statement.replace(/\)\s*;?\s*$/, ") STRICT;\n") : statement,
    )
    .join("--> statement-breakpoint");
}

/** Runs drizzle-kit on `dir` and returns the names of the migrations that it wrote. */
async function generate(dir: string, name: string): Promise<string[]> {
  const before = new Set(sqlFiles(dir));
  const kit = Bun.spawn(
    [
      process.execPath,
      "--bun",
      KIT,
      "generate",
      "--dialect",
      "sqlite",
      "--schema",
      "src/store/tables.ts",
      "--out",
      relative(ROOT, dir),
      "--name",
      name,
    ],
    { cwd: ROOT, stdout: "pipe", stderr: "pipe", stdin: "ignore" },
  );
  const [out, err, code] = await Promise.all([
    new Response(kit.stdout).text(),
    new Response(kit.stderr).text(),
    kit.exited,
  ]);
  if (code !== 0 || /error/i.test(err)) throw new Error(`drizzle-kit failed (exit ${code}):\n${out}${err}`);
  const made = sqlFiles(dir).filter((file) => !before.has(file));
  for (const file of made) {
    const path = join(dir, file);
    await Bun.write(path, withStrict(await Bun.file(path).text()));
  }
  return made;
}

/** Returns the missing migrations, which are made in a copy. */
async function missing(): Promise<string[]> {
  const copy = mkdtempSync(join(tmpdir(), "orch-migrations-"));
  try {
    cpSync(MIGRATIONS, copy, { recursive: true });
    return await generate(copy, "check");
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const args = process.argv.slice(2);
if (args[0] === "--check") {
  const made = await missing();
  if (made.length > 0) {
    console.error("src/store/tables.ts differs from migrations/; run: bun run migrations NAME");
    process.exit(1);
  }
  console.log("migrations are complete");
} else {
  const name = args[0];
  if (name === undefined || !/^[a-z][a-z0-9-]*$/.test(name)) {
    console.error("usage: bun run migrations NAME   (what changes, such as: node-health)");
    process.exit(2);
  }
  const made = await generate(MIGRATIONS, name);
  console.log(made.length === 0 ? "nothing to migrate" : made.map((file) => `made migrations/${file}`).join("\n"));
}
