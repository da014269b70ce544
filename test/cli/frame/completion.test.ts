// Completion as a shell would use it, and the reference page: both come from the command table.

import { describe, expect, test } from "bun:test";
import { completionScript } from "../../../src/cli/frame/completion";
import { cliReference } from "../../../src/cli/frame/reference";
import { TABLE } from "../../../src/cli/table";

/** What a real bash offers where the last word is being typed. `names` is what orch says to the hidden command. */
async function offered(line: string, names = ""): Promise<string[]> {
  const words = line.split(" ");
  const script =
    `orch() { [ "$1" = __complete ] && printf '%s\\n' ${names}; }\n` +
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
  test("names, as the server tells them", async () => {
    expect(await offered("orch node drain bo", "box1 box2 other")).toEqual(["box1", "box2"]);
    expect(await offered("orch logs re", "recs.api.0 12")).toEqual(["recs.api.0"]);
  });
  test("files where files are typed: operands, values of options, programs that were begun", async () => {
    expect(await offered("orch validate package.js")).toEqual(["package.json"]);
    expect(await offered("orch plan -f package.js", "box1")).toEqual(["package.json"]);
    expect(await offered("orch run package.js", "shop.train")).toEqual(["package.json"]);
    expect(await offered("orch run -- cat ", "shop.train")).toContain("package.json");
    expect(await offered("orch package.js")).toEqual([]);
  });
  test.each([
    "restart ",
    "logs package.js",
    "submit package.js",
    "run ",
    "run --host ",
    "run --name package.js",
    "nodes ",
  ])("no files where names come from the server, also if it says nothing: orch %p", async (typed) =>
    expect(await offered(`orch ${typed}`)).toEqual([]),
  );
  test("names as the values of options", async () => {
    expect(await offered("orch run --host bo", "box1 box2 other")).toEqual(["box1", "box2"]);
    expect(await offered("orch ps --node bo", "box1 other")).toEqual(["box1"]);
  });
  test("commands behind help, and shells behind completion", async () => {
    expect(await offered("orch help no")).toEqual(["nodes", "node"]);
    expect(await offered("orch completion f", "bash zsh fish")).toEqual(["fish"]);
  });
  test("options of a verb", async () => expect(await offered("orch token new --r")).toEqual(["--role"]));
});

const NAMES = TABLE.map(({ name }) => name).toSorted();

test.each(["bash", "zsh"] as const)("the script of %s names every command with its options", async (shell) => {
  const script = await completionScript(TABLE, shell);
  const cases = new Map(
    [...script.matchAll(/^ {4}"([a-z -]+)"\) options="(.*?)" .* ;;$/gm)].map((match) => [match[1]!, match[2]]),
  );
  expect([...cases.keys()].toSorted()).toEqual(NAMES);
  expect(cases.get("token revoke")).toBe("--only --url --token --help");
});

describe("the script of fish", () => {
  const script = completionScript(TABLE, "fish");
  test("offers every command and every verb of a noun, with what it is for", async () => {
    const first = [...(await script).matchAll(/^complete -c orch -n __fish_use_subcommand -a (\S+)(?: -d '.+')?$/gm)];
    const verbs = [
      ...(await script).matchAll(
        /^complete -c orch -n '__fish_seen_subcommand_from (\S+); and not .+' -a (\S+) -d '.+'$/gm,
      ),
    ];
    expect(first.map((match) => match[1]!).toSorted()).toEqual(
      [...new Set(NAMES.map((name) => name.split(" ")[0]!))].toSorted(),
    );
    expect(verbs.map((match) => `${match[1]} ${match[2]}`).toSorted()).toEqual(
      NAMES.filter((name) => name.includes(" ")),
    );
  });
  test("offers the options of a command, and of a verb beside its noun", async () => {
    const lines = (await script).split("\n");
    const offers = (when: string, flag: string): boolean =>
      lines.some((line) => line.startsWith(`complete -c orch -n '${when}' -`) && line.includes(`-l ${flag} `));
    const seen = (word: string): string => `__fish_seen_subcommand_from ${word}`;
    expect(offers(seen("ps"), "all")).toBe(true);
    expect(offers(`${seen("token")}; and ${seen("new")}`, "role")).toBe(true);
    expect(offers(seen("token"), "role")).toBe(false);
  });
});

test("the reference has a section for every command, and only for those", async () => {
  const page = await cliReference(TABLE);
  expect([...page.matchAll(/^### orch (.+)$/gm)].map((match) => match[1]).toSorted()).toEqual(
    TABLE.map(({ name }) => name).toSorted(),
  );
  expect(page).not.toContain("--url <URL>");
});
