// Where the token of `orch agent join` comes from.

import { describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch";
import { formatToken } from "../../../src/wire/token";
import { stage } from "../stage";

const TOKEN = formatToken({ pin: "ab".repeat(32), id: "0123456789", secret: "cd".repeat(20) });
const OTHER = formatToken({ pin: "ab".repeat(32), id: "0123456780", secret: "cd".repeat(20) });
const URL = "https://box1:4400";

/** Runs `orch agent join` with these arguments. Returns the token that the agent gets, and what was printed. */
async function joined(args: readonly string[], given: Parameters<typeof stage>[0] = {}) {
  let token: string | null | undefined;
  const runAgent = (options: { readonly token: string | null }): Promise<"stopped"> => {
    ({ token } = options);
    return Promise.resolve("stopped");
  };
  const at = stage({ ...given, parts: { runAgent } });
  const code = await dispatch(
    ["agent", "join", URL, ...(args.includes("--data") ? [] : ["--data", "/nowhere/data"]), ...args],
    at.host,
  );
  return { token, code, err: at.err() };
}

describe("the token of a joining agent", () => {
  test("is asked for on a terminal, and not echoed", async () => {
    const { token, err } = await joined([], { tty: true, input: `${TOKEN}\n` });
    expect([token, err]).toEqual([TOKEN, "join token: "]);
  });
  test("is not asked for where nobody can answer", async () => {
    expect((await joined([])).token).toBeNull();
  });
  test("comes from standard input", async () => {
    expect((await joined(["--token", "-"], { input: `${TOKEN}\n` })).token).toBe(TOKEN);
  });
  test("comes from the environment, and the flag goes before it", async () => {
    const env = { ORCH_TOKEN: TOKEN };
    expect((await joined([], { env })).token).toBe(TOKEN);
    expect((await joined(["--token", OTHER], { env })).token).toBe(OTHER);
  });
  test("that is not whole is refused before anything is started", async () => {
    for (const input of ["", "orch1-half"]) {
      const { token, code } = await joined(["--token", "-"], { input });
      expect([token, code]).toEqual([undefined, 2]);
    }
    const half = await joined(["--token", "orch1-half"]);
    expect([half.code, half.err]).toEqual([2, expect.stringContaining("--token: this is not a whole token")]);
  });
  test("that is not whole is refused by install too, also when it only looks", async () => {
    const dir = await mkdtemp(join(tmpdir(), "orch-token-"));
    const file = join(dir, "token");
    await writeFile(file, "orch1-half\n");
    for (const [flag, value, from] of [
      ["--token", "orch1-half", "--token"],
      ["--token-file", file, file],
    ] as const) {
      const at = stage({});
      expect(await dispatch(["install", "agent", URL, flag, value, "--dry-run"], at.host)).toBe(2);
      expect(at.err()).toContain(`${from}: this is not a whole token`);
    }
    await rm(dir, { recursive: true });
  });
  test("in a file is told apart from a file that is missing, empty or not whole, by its name", async () => {
    const dir = await mkdtemp(join(tmpdir(), "orch-token-"));
    const file = join(dir, "token");
    const said = async (): Promise<string> => (await joined(["--token-file", file])).err;
    expect(await said()).toContain(`the token's file ${file} is missing`);
    await writeFile(file, "\n");
    expect(await said()).toContain(`${file} has no token`);
    await writeFile(file, "orch1-half\n");
    expect(await said()).toContain(`${file}: this is not a whole token`);
    await writeFile(file, `${TOKEN}\n`);
    expect((await joined(["--token-file", file])).token).toBe(TOKEN);
    await rm(dir, { recursive: true });
  });
  test("is asked for again once the one before was turned away, and not while that one is kept", async () => {
    const data = await mkdtemp(join(tmpdir(), "orch-token-"));
    await mkdir(join(data, "agent"));
    const given = { tty: true, input: `${TOKEN}\n` };
    await writeFile(join(data, "agent", "joining.json"), JSON.stringify({ key: "k", token: OTHER }));
    expect((await joined(["--data", data], given)).token).toBeNull();
    await writeFile(join(data, "agent", "joining.json"), JSON.stringify({ key: "k", token: null }));
    expect((await joined(["--data", data], given)).token).toBe(TOKEN);
    await rm(data, { recursive: true });
  });
});
