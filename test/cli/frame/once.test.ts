// Options that take one value refuse a second one, and options behind a program that is not there are told.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Option } from "commander";
import { dispatch } from "../../../src/cli/dispatch";
import { parseCommand } from "../../../src/cli/frame/parse";
import { longName } from "../../../src/cli/frame/command";
import { TABLE } from "../../../src/cli/table";
import { scratchDir } from "../../support/scratch";
import { stage } from "../stage";

describe("an option of one value", () => {
  test.each(TABLE.map((entry) => [entry.name, entry] as const))("orch %s", async (_name, { name, about, load }) => {
    const decl = await load();
    const single = Object.values(decl.options).filter(({ flags, many }) => !many && new Option(flags).required);
    const names = [...single.map(({ flags }) => longName(flags)), ...(decl.talks ? ["--url", "--data"] : [])];
    const refused = await Promise.allSettled(
      names.map((flag) => parseCommand(name, about, decl, [flag, "a", flag, "b"])),
    );
    const twice = names.filter((flag, n) => {
      const one = refused[n];
      return one?.status === "rejected" && String(one.reason).startsWith(`UsageError: ${flag} is given twice`);
    });
    expect(twice).toEqual(names);
  });

  test("is told with both values, and a token with neither", async () => {
    const here = stage();
    expect(await dispatch("apply -y -f s.yaml --file=env.yaml".split(" "), here.host)).toBe(2);
    expect(here.err()).toBe("orch: --file is given twice: s.yaml and env.yaml. It takes one value\n");
    const secret = stage();
    expect(await dispatch("--token one ps --token two".split(" "), secret.host)).toBe(2);
    expect(secret.err()).toBe("orch: --token is given twice. It takes one value\n");
  });
});

describe("an option of orch run behind the command", () => {
  const typed = async (line: string, dir = "/nowhere"): Promise<string> => {
    const here = stage({ env: { PATH: dir, ORCH_URL: "https://127.0.0.1:1", ORCH_TOKEN: "x" } });
    await dispatch(line.split(" "), here.host);
    return here.err();
  };

  test("is told where the command is not here", async () => {
    expect(await typed("run nginx --image nginx -g x")).toBe(
      "orch: nginx is not found here, and --image behind it would be its own option. Options of orch run stand " +
        "before the command: orch run --image nginx -- nginx -g x; if they are the command's: " +
        "orch run -- nginx --image nginx -g x\n",
    );
    expect(await typed("run -d train --gpu=2 --login a")).toContain("orch run --gpu=2 --login -- train a; if");
  });

  test("is the command's own where the command is here, has a path, or stands behind --", async () => {
    const dir = scratchDir("misplaced");
    writeFileSync(join(dir, "train"), "#!/bin/sh\n", { mode: 0o755 });
    const said = [
      await typed("run train --gpu 2", dir),
      await typed("run ./train --gpu 2"),
      await typed("run -- train --gpu 2"),
      await typed("run train -- --gpu 2"),
      await typed("run --login train --gpu 2"),
      await typed("run train --epochs 2"),
    ];
    expect(said.filter((one) => one.includes("is not found here"))).toEqual([]);
  });
});

test("the errors of a file come before the question for a terminal", async () => {
  const dir = scratchDir("bad-file");
  writeFileSync(join(dir, "bad.yaml"), "app: a\nservices:\n  web: { run: x, replica: 2 }\n");
  writeFileSync(join(dir, "good.yaml"), "app: a\nservices:\n  web: { run: x }\n");
  const bad = stage({ cwd: dir });
  expect(await dispatch(["apply", "-f", "bad.yaml"], bad.host)).toBe(2);
  expect(bad.err()).toContain("bad.yaml:3:18: services.web.replica: ");
  expect(bad.err()).not.toContain("terminal");
  const good = stage({ cwd: dir });
  expect(await dispatch(["apply", "-f", "good.yaml"], good.host)).toBe(2);
  expect(good.err()).toStartWith("orch: there is no terminal to ask on. ");
});
