// Golden files: an input, a line of dashes, and the output. `ORCH_GOLDEN=write bun test …` writes the present output.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CUT = "\n----------\n";

/** Returns the input of one golden file of a folder. */
export const inputOf = (folder: string, name: string): string =>
  readFileSync(join(import.meta.dir, "../..", folder, `${name}.golden`), "utf8").split(CUT)[0] ?? "";

/**
 * Makes one test of each `*.golden` in a folder, which is a path from the repository's top. `make` returns the output.
 */
export function goldenTests(folder: string, make: (input: string, name: string) => string | Promise<string>): void {
  const dir = join(import.meta.dir, "../..", folder);
  const files = readdirSync(dir).filter((name) => name.endsWith(".golden"));
  test(`${folder} has golden files`, () => expect(files.length).toBeGreaterThan(0));
  for (const file of files.toSorted()) {
    const path = join(dir, file);
    test(`${file} gives what it says`, async () => {
      const [input = "", expected = ""] = readFileSync(path, "utf8").split(CUT);
      const output = `${(await make(input, file.replace(/\.golden$/, ""))).trimEnd()}\n`;
      if (process.env["ORCH_GOLDEN"] === "write" && output !== expected) writeFileSync(path, input + CUT + output);
      else expect(output).toBe(expected);
    });
  }
}
