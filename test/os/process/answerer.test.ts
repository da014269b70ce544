// The process that is asked what may hang: what does not answer is killed, and while it cannot be ended no second one
// is started.

import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Answerer } from "../../../src/os/process/answerer";
import { ANSWERER } from "../../support/fixtures/answerer";
import { processes, removeGroups } from "../../support/processes";
import { waitUntil } from "../../support/wait";

const FREEZER = "/sys/fs/cgroup/freezer";

let answerer: Answerer;
const begin = (): void => {
  answerer = new Answerer([process.execPath, ANSWERER]);
};
afterEach(() => answerer.close());

const children = (): number[] =>
  processes()
    .filter(({ ppid, command }) => ppid === process.pid && command.includes(ANSWERER))
    .map(({ pid }) => pid);

describe("an answerer", () => {
  test("answers, in one process, whatever the library prints between", async () => {
    begin();
    expect(await answerer.ask({ say: "a" }, 20_000)).toEqual({ is: "answered", value: "a" });
    const [pid] = children();
    expect(await answerer.ask({ print: "noise without an end", say: [1, 2] }, 20_000)).toEqual({
      is: "answered",
      value: [1, 2],
    });
    expect(children()).toEqual([pid!]);
  });

  test("is killed when it hangs, and the next question starts another", async () => {
    begin();
    await answerer.ask({ say: 1 }, 20_000);
    expect(await answerer.ask({ hang: true }, 200)).toEqual({ is: "failed", why: "no answer within 200 ms" });
    expect(await answerer.ask({ say: 2 }, 20_000)).toEqual({ is: "answered", value: 2 });
  });

  test("that ends says how, and the next question starts another", async () => {
    begin();
    expect(await answerer.ask({ exit: 3 }, 20_000)).toEqual({
      is: "failed",
      why: "the process that asks ended: exit 3",
    });
    expect(await answerer.ask({ say: 2 }, 20_000)).toEqual({ is: "answered", value: 2 });
  });

  test("that closes its output and lives on is an answer in time, and holds up no later question", async () => {
    answerer = new Answerer(["/bin/sh", "-c", "exec 1>&-; exec sleep 60"]);
    expect(await answerer.ask({ say: 1 }, 300)).toEqual({ is: "failed", why: "no answer within 300 ms" });
    expect(await answerer.ask({ say: 2 }, 5_000)).toMatchObject({ is: "failed" });
  });

  test("that cannot be started says why", async () => {
    answerer = new Answerer(["/nowhere/at/all"]);
    expect(await answerer.ask({ say: 1 }, 20_000)).toMatchObject({
      is: "failed",
      why: expect.stringContaining("ENOENT"),
    });
  });

  test("ends when the process that asks it is gone", async () => {
    const script = `
      import { Answerer } from ${JSON.stringify(join(import.meta.dir, "../../../src/os/process/answerer"))};
      const answerer = new Answerer(${JSON.stringify([process.execPath, ANSWERER])});
      console.log(JSON.stringify(await answerer.ask({ pid: true }, 20_000)));
    `;
    const asker = Bun.spawn([process.execPath, "-e", script], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    const out = await new Response(asker.stdout).text();
    // It ended by itself, though its child still stood by: an idle answerer keeps nobody alive.
    expect(await asker.exited).toBe(0);
    const { value: pid } = JSON.parse(out) as { value: number };
    await waitUntil("the child to end", () => processes().every((found) => found.pid !== pid));
  });

  const frozen = existsSync(`${FREEZER}/cgroup.procs`) && process.getuid?.() === 0;
  test.if(frozen)("that no signal ends is not waited for and not doubled (needs root and a v1 freezer)", async () => {
    begin();
    await answerer.ask({ say: 1 }, 20_000);
    const [pid] = children();
    const group = join(FREEZER, `orch-test-answerer-${process.pid}`);
    mkdirSync(group);
    writeFileSync(join(group, "cgroup.procs"), String(pid));
    // A frozen process is in an uninterruptible wait: it dies of SIGKILL only when it is thawed.
    writeFileSync(join(group, "freezer.state"), "FROZEN");
    const started = performance.now();
    expect(await answerer.ask({ say: 2 }, 300)).toEqual({ is: "failed", why: "no answer within 300 ms" });
    expect(await answerer.ask({ say: 3 }, 300)).toEqual({
      is: "failed",
      why: `process ${pid} did not answer before and cannot be ended: it hangs`,
    });
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(children()).toEqual([pid!]);
    writeFileSync(join(group, "freezer.state"), "THAWED");
    expect(await answerer.ask({ say: 4 }, 20_000)).toEqual({ is: "answered", value: 4 });
    expect(children()).not.toContain(pid!);
    await removeGroups(group);
  });
});
