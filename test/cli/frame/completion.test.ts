// Completion as a shell would use it, and the reference page: both come from the command table.

import { describe, expect, test } from "bun:test";
import { completionScript } from "../../../src/cli/frame/completion";
import { cliReference } from "../../../src/cli/frame/reference";
import { TABLE } from "../../../src/cli/table";

/** What a real bash offers for a line whose last word is being typed. */
async function offered(line: string): Promise<string[]> {
  const words = line.split(" ");
  const script =
    `${await completionScript(TABLE, "bash")}\nCOMP_WORDS=(${words.map((word) => `"${word}"`).join(" ")})\n` +
    `COMP_CWORD=${words.length - 1}\n_orch\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`;
  const child = Bun.spawn(["bash", "-c", script], { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  expect(err).toBe("");
  return out.split("\n").filter((word) => word !== "");
}

describe("bash completes", () => {
  test("commands", async () => expect(await offered("orch no")).toEqual(["nodes", "node"]));
  test("verbs of a noun", async () => expect(await offered("orch node d")).toEqual(["drain"]));
  test("options of a command", async () => expect(await offered("orch ps --a")).toEqual(["--all"]));
  test("options of a verb", async () => expect(await offered("orch token new --r")).toEqual(["--role"]));
});

test("every shell's script names every command", async () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const script = await completionScript(TABLE, shell);
    for (const { name } of TABLE) expect(script).toContain(name.split(" ").at(-1) ?? name);
  }
});

test("the reference has a section for every command, and only for those", async () => {
  const page = await cliReference(TABLE);
  expect([...page.matchAll(/^### orch (.+)$/gm)].map((match) => match[1]).toSorted()).toEqual(
    TABLE.map(({ name }) => name).toSorted(),
  );
  expect(page).not.toContain("--url <URL>");
});
