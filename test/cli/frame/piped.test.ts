// What `orch run` takes of its standard input, with real descriptors: bytes of pipes and files as they are, and nothing
// of what gives nothing.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCommand } from "../../../src/cli/frame/parse";
import { PIPED_COMMAND } from "../../support/fixtures/piped";
import { run } from "../../../src/cli/commands/run";

const MOST = 300_000;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-piped-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Returns what the fixture prints when a shell gives it this standard input. `%` is the fixture itself. */
async function taken(script: string): Promise<string> {
  const command = script.replace("%", [...PIPED_COMMAND, String(MOST)].join(" "));
  const child = Bun.spawn(["sh", "-c", command], { cwd: dir, stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  return (await new Response(child.stdout).text()).trim();
}

const hashOf = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

describe("standard input of a run", () => {
  const binary = Uint8Array.from({ length: 200_000 }, (_, n) => (n * 7 + (n >> 8)) % 256);
  const whole = `bytes ${binary.length} ${hashOf(binary)}`;

  test("is what a pipe or a file gives, byte by byte", async () => {
    writeFileSync(join(dir, "binary"), binary);
    expect(await taken("% < binary")).toBe(whole);
    expect(await taken("cat binary | %")).toBe(whole);
    const rest = binary.subarray(100_000);
    expect(await taken("{ dd bs=100000 count=1 of=/dev/null 2>/dev/null; %; } < binary")).toBe(
      `bytes ${rest.length} ${hashOf(rest)}`,
    );
  });
  test("is nothing where nothing is given", async () => {
    expect(await taken("% < /dev/null")).toBe("none");
    expect(await taken("% <&-")).toBe("none");
    expect(await taken(": | %")).toBe("none");
  });
  test("is refused beyond its bound, also without end", async () => {
    writeFileSync(join(dir, "most"), new Uint8Array(MOST));
    writeFileSync(join(dir, "more"), new Uint8Array(MOST + 1));
    expect(await taken("% < most")).toStartWith(`bytes ${MOST} `);
    expect(await taken("% < more")).toBe("too_large");
    expect(await taken("cat /dev/zero | %")).toBe("too_large");
    expect(await taken("% < /dev/zero")).toBe("too_large");
  });
  test("cannot be a directory", async () => {
    expect(await taken("% < .")).toBe("unreadable");
  });
  test("is not taken with -n or --no-stdin", async () => {
    const given = async (...argv: string[]): Promise<unknown> => {
      const parsed = await parseCommand("run", "", run, [...argv, "--", "cat"]);
      return parsed.kind === "run" ? parsed.input.flags["noStdin"] : null;
    };
    expect(await Promise.all([given(), given("-n"), given("--no-stdin")])).toEqual([false, true, true]);
  });
});
