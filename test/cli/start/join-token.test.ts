// Where the token of `orch agent join` comes from.

import { describe, expect, test } from "bun:test";
import { dispatch } from "../../../src/cli/dispatch";
import { formatToken } from "../../../src/wire/token";
import { stage } from "../stage";

const TOKEN = formatToken({ pin: "ab".repeat(32), id: "0123456789", secret: "cd".repeat(20) });
const URL = "https://box1:4400";

/** Runs `orch agent join` with these arguments. Returns the token that the agent gets, and what was printed. */
async function joined(args: readonly string[], given: Parameters<typeof stage>[0] = {}) {
  let token: string | null | undefined;
  const runAgent = (options: { readonly token: string | null }): Promise<"stopped"> => {
    ({ token } = options);
    return Promise.resolve("stopped");
  };
  const at = stage({ ...given, parts: { runAgent } });
  const code = await dispatch(["agent", "join", URL, "--data", "/nowhere/data", ...args], at.host);
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
    expect((await joined(["--token", "other"], { env })).token).toBe("other");
  });
  test("that is not whole is refused before anything is started", async () => {
    for (const input of ["", "orch1-half"]) {
      const { token, code } = await joined(["--token", "-"], { input });
      expect([token, code]).toEqual([undefined, 2]);
    }
  });
});
