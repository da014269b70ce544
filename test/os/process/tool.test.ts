// A vendor's tool as a process that may hang: it ends in time, whatever holds its output, and is not run a second time
// while the first cannot be ended.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../../src/os/process/spawn";
import { createTool, jsonIn } from "../../../src/os/process/tool";
import { Site } from "../../support/devices/rig";
import { processes, removeGroups, signal } from "../../support/processes";
import { waitUntil } from "../../support/wait";

const FREEZER = "/sys/fs/cgroup/freezer";

let site: Site;
beforeAll(async () => {
  site = await Site.make();
});
afterAll(() => site.close());

const running = (path: string) => processes().filter(({ command }) => command.includes(path));

describe("a tool", () => {
  test("gives its output and its exit code", async () => {
    const tool = createTool(site.tool("a", 'echo "got $*"; echo bad >&2; exit 3'));
    expect(await tool.run(["-x", "1"], 20_000)).toEqual({ is: "done", code: 3, out: "got -x 1\n", err: "bad\n" });
  });

  test("that does not end is killed", async () => {
    const tool = createTool(site.tool("b", "exec sleep 1000"));
    expect(await tool.run([], 200)).toEqual({ is: "failed", why: `${tool.path} did not end within 200 ms` });
    expect(running(tool.path)).toEqual([]);
  });

  test("that has left a child with its output does not keep who asked", async () => {
    const path = site.tool("c", `sleep 30 & echo $! > "$(dirname "$0")/left"; exec sleep 1000`);
    const started = performance.now();
    expect(await runCommand([path], 200)).toMatchObject({ is: "failed" });
    expect(performance.now() - started).toBeLessThan(8_000);
    const left = Number(await Bun.file(join(site.root, "tools", "left")).text());
    for (const found of processes().filter(({ pid }) => pid === left)) signal(found, "SIGKILL");
  });

  test("that dies says of what", async () => {
    const tool = createTool(site.tool("d", "kill -SEGV $$"));
    expect(await tool.run([], 20_000)).toEqual({ is: "failed", why: `${tool.path} was ended by SIGSEGV` });
  });

  test("that is not there says so", async () => {
    expect(await createTool("/nowhere/at/all").run([], 1_000)).toMatchObject({
      is: "failed",
      why: expect.stringContaining("ENOENT"),
    });
  });

  const frozen = existsSync(`${FREEZER}/cgroup.procs`) && process.getuid?.() === 0;
  test.if(frozen)("that no signal ends is not run again before it is gone (needs root and a v1 freezer)", async () => {
    const path = site.tool("e", `[ -e "$(dirname "$0")/quick" ] && exec echo quick; while :; do sleep 0.05; done`);
    const tool = createTool(path);
    const group = join(FREEZER, `orch-test-tool-${process.pid}`);
    mkdirSync(group);
    const run = tool.run([], 1_500);
    const [found] = await waitUntil("the tool to run", () => (running(path).length > 0 ? running(path) : null));
    writeFileSync(join(group, "cgroup.procs"), String(found?.pid));
    writeFileSync(join(group, "freezer.state"), "FROZEN");
    expect(await run).toMatchObject({ is: "failed" });
    site.put({ "tools/quick": "" });
    expect(await tool.run([], 1_500)).toEqual({
      is: "failed",
      why: `${path}: process ${found?.pid} hangs and cannot be ended`,
    });
    writeFileSync(join(group, "freezer.state"), "THAWED");
    expect(
      await waitUntil("the tool to work again", async () => {
        const result = await tool.run([], 20_000);
        return result.is === "done" ? result : null;
      }),
    ).toMatchObject({ out: "quick\n" });
    await removeGroups(group);
  });
});

describe("JSON in an output", () => {
  const done = (out: string) => jsonIn({ is: "done", code: 0, out, err: "" });
  test("is found behind warnings, and is null where there is none", () => {
    expect(done('{"a": 1}')).toEqual({ a: 1 });
    expect(done("Warning: [x]\n[\n1]\n")).toEqual([1]);
    expect(done("Error: none")).toBeNull();
    expect(done("{ half")).toBeNull();
    expect(jsonIn({ is: "failed", why: "x" })).toBeNull();
  });
});
