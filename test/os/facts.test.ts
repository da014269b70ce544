// Facts of the machine: the costly ones are asked once a boot, by a child, and never by the process that needs them.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostFacts } from "../../src/os/facts";
import { bootId } from "../../src/os/proc";

let dir = "";
let cache = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-facts-"));
  cache = join(dir, "hardware.json");
});
afterEach(() => rmSync(dir, { recursive: true }));

const loaded = (): string[] => Object.keys(require.cache).filter((path) => path.includes("systeminformation"));

test("what is not known yet is asked by a child and kept", async () => {
  const { cpu_model, board } = await hostFacts(cache);
  expect(cpu_model).not.toBe("");
  expect(JSON.parse(readFileSync(cache, "utf8"))).toEqual({ boot_id: bootId(), cpu_model, board });
  expect(loaded()).toEqual([]);
});

test("what is known of this boot is not asked again; what is of another boot, or no answer, is", async () => {
  const known = { boot_id: bootId(), cpu_model: "a cpu", board: "a board" };
  writeFileSync(cache, JSON.stringify(known));
  expect(await hostFacts(cache)).toMatchObject({ cpu_model: "a cpu", board: "a board" });
  for (const text of [
    JSON.stringify({ ...known, boot_id: "another" }),
    JSON.stringify({ ...known, board: 5 }),
    "null",
  ]) {
    writeFileSync(cache, text);
    expect((await hostFacts(cache)).board).not.toBe("a board");
  }
});
