// The completion scripts in the shells that they are for. The names of nodes come from a function in place of orch.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { completionScript } from "../../../src/cli/frame/completion";
import { TABLE } from "../../../src/cli/table";
import { makeScratch, removeScratch } from "../../support/scratch";
import { waitUntil } from "../../support/wait";

/** Returns why a shell is not there and cannot be installed, or null. */
function missing(shell: string): string | null {
  if (Bun.which(shell) !== null) return null;
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) return `there is no ${shell}`;
  const { stderr } = Bun.spawnSync(["apt-get", "install", "-y", "--no-install-recommends", shell], { stderr: "pipe" });
  return Bun.which(shell) === null ? `${shell} cannot be installed: ${stderr.toString().slice(-200)}` : null;
}

const without = { zsh: missing("zsh"), fish: missing("fish") };
const titled = (shell: "zsh" | "fish"): string =>
  `${shell}${without[shell] === null ? "" : ` (skipped: ${without[shell]})`}`;

let dir = "";
beforeAll(async () => {
  dir = makeScratch("shells");
  for (const shell of ["zsh", "fish"] as const) {
    writeFileSync(join(dir, shell), await completionScript(TABLE, shell));
  }
  writeFileSync(join(dir, "script.sh"), "");
});
afterAll(() => removeScratch(dir));

const env = (): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "",
  HOME: dir,
  TERM: "dumb",
  LANG: "C.UTF-8",
});

describe.skipIf(without.fish !== null)(titled("fish"), () => {
  async function offered(line: string): Promise<string[]> {
    const names = "function orch; printf '%s\\n' box1 box2; end";
    const argv = ["fish", "--no-config", "-c", `${names}; source ${dir}/fish; complete -C '${line}'`];
    const child = Bun.spawn(argv, { cwd: dir, env: env(), stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect(err).toBe("");
    return [
      ...new Set(
        out
          .trimEnd()
          .split("\n")
          .map((one) => one.split("\t")[0] ?? "")
          .filter((one) => one !== ""),
      ),
    ];
  }

  test("completes commands, verbs, options of one letter and of many, and names", async () => {
    expect(await offered("orch no")).toEqual(["node", "nodes"]);
    expect(await offered("orch node d")).toEqual(["drain"]);
    expect(await offered("orch ps --a")).toEqual(["--all"]);
    expect(await offered("orch token new --r")).toEqual(["--role"]);
    expect(await offered("orch run -")).toContain("-c");
    expect(await offered("orch run --")).not.toContain("--c");
    expect(await offered("orch node drain b")).toEqual(["box1", "box2"]);
    expect(await offered("orch help no")).toContain("nodes");
  });

  test("completes files where files are typed, and nowhere else", async () => {
    expect(await offered("orch run scr")).toEqual(["script.sh"]);
    expect(await offered("orch apply -f scr")).toEqual(["script.sh"]);
    expect(await offered("orch install agent --token-file scr")).toEqual(["script.sh"]);
    for (const typed of ["", "node drain ", "logs ", "submit ", "run --host ", "run --name "])
      expect(await offered(`orch ${typed}scr`)).toEqual([]);
  });

  test("completes names as the values of options", async () => {
    expect(await offered("orch run --host b")).toEqual(["box1", "box2"]);
    expect(await offered("orch ps --node b")).toEqual(["box1", "box2"]);
    expect(await offered("orch context use ")).toEqual(["box1", "box2"]);
  });
});

describe.skipIf(without.zsh !== null)(titled("zsh"), () => {
  /** Types a line and a tab into a zsh without settings, and returns what the line has become. */
  async function completed(line: string, end = ""): Promise<string> {
    let shown = "";
    const decoder = new TextDecoder();
    const data = (_: unknown, bytes: Uint8Array): void => void (shown += decoder.decode(bytes, { stream: true }));
    const child = Bun.spawn(["zsh", "-f", "-i"], { cwd: dir, env: env(), terminal: { cols: 200, rows: 50, data } });
    try {
      child.terminal?.write(`orch() { print -l box1; }; source ${dir}/zsh; PS1='re''ady> '\n`);
      await waitUntil("the prompt", () => shown.includes("ready> "));
      expect(shown).not.toContain("not found");
      child.terminal?.write(`${line}\t${end}`);
      // A completed word ends with a space, and one that is not completed with what is typed next.
      return await waitUntil("the completion", () => /ready> (orch .*[ ;])$/.exec(plain(shown))?.[1] ?? null);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
  }
  const plain = (text: string): string => text.replaceAll(/\x1b\[[\d;?]*[a-zA-Z]|\x07/g, "").replaceAll(/.\x08/g, "");

  test.each([
    ["orch nodes", "orch nodes "],
    ["orch node dr", "orch node drain "],
    ["orch ps --al", "orch ps --all "],
    ["orch token new --r", "orch token new --role "],
    ["orch node drain b", "orch node drain box1 "],
    ["orch run scr", "orch run script.sh "],
    ["orch apply -f scr", "orch apply -f script.sh "],
    ["orch run --host b", "orch run --host box1 "],
  ])("completes %p", async (typed, whole) => {
    expect(await completed(typed)).toBe(whole);
  });

  test.each(["orch logs scr", "orch node drain scr", "orch submit scr", "orch run --host scr"])(
    "offers no file behind %p",
    async (typed) => expect(await completed(typed, ";")).toBe(`${typed};`),
  );
});
