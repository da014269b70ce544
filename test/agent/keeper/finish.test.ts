// A task is finished only once nothing of it is left, whatever fails meanwhile.

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HeldTask } from "../../../src/agent/keeper/begin";
import { finish } from "../../../src/agent/keeper/finish";
import { Guard } from "../../../src/agent/keeper/guard";
import { parseAttempt } from "../../../src/agent/tasks/taskdir";
import { own } from "../../../src/os/process/own";
import { orderOf } from "../../support/orders";
import { isAlive } from "../../support/processes";
import { waitUntil } from "../../support/wait";

const dir = mkdtempSync(join(tmpdir(), "orch-finish-"));
afterEach(() => {
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
});
afterAll(() => rmSync(dir, { recursive: true }));

const claim = join(dir, "claim");

/** A task whose main process has ended, and whose control group is a plain directory. */
function heldIn(group: string): HeldTask {
  return {
    order: orderOf("true", { marker: `ORCH_TASK=${dir}`, stop: { signal: "TERM", grace_ms: 0 } }),
    dir,
    claim: openSync(claim, "a+"),
    group: [group],
    pid: 2 ** 22,
    start: "0",
    started_ms: 0,
    wrapped: { argv: ["true"], env: {}, cwd: "/", tells: false },
    blamed_until_ms: 0,
  };
}

const aroundOf = (say: (line: string) => void) =>
  ({
    guard: new Guard({ command: [], say, expired: () => undefined }),
    cgroups: { is: "none", detail: "made up" },
    group_name: "t",
    joining: { dirFor: () => null },
    tasks: dir,
    wrappers: { setpriv: null, prlimit: null },
    oom_score_adj: 0,
    say,
    journal: { begun: () => undefined, ended: () => undefined },
  }) as const;

describe("a command behind the switch to its account", () => {
  /** Returns the end where the switch has said `notes` (null: its file is lost) and its process ended so. */
  const ended = (notes: string | null, exit_code: number | null, words = "") => {
    if (notes !== null) writeFileSync(join(dir, "notes"), notes);
    writeFileSync(join(dir, "stderr"), words);
    const held = { ...heldIn(""), group: [] };
    const exit = { exit_code, signal: exit_code === null ? "KILL" : null, max_rss_bytes: null };
    const said = { ...held, wrapped: { ...held.wrapped, tells: true } };
    return finish(
      said,
      exit,
      aroundOf(() => undefined),
      () => undefined,
    );
  };

  test("has begun once the switch says so, whatever it ends with", async () => {
    expect(await ended("begun\n", 127)).toMatchObject({ exit_code: 127, reason: null });
  });
  test("did not begin where the switch says what is missing", async () => {
    expect(await ended("no_directory the directory /x cannot be entered by alice\n", 126)).toMatchObject({
      cause: "no_directory",
      reason: "could not start: the directory /x cannot be entered by alice",
    });
  });
  test("did not begin where the switch failed before it could say anything", async () => {
    const words = "setpriv: setresuid failed: Resource temporarily unavailable\n";
    expect(await ended("", 1, words)).toMatchObject({
      cause: "node_unable",
      reason: `could not start: its account could not be entered: ${words.trim()}`,
    });
  });
  test("may have begun where what the switch said is lost, or where it was killed", async () => {
    expect((await ended(null, 1)).cause).toBeUndefined();
  });
  test("is believed to have been killed", async () => {
    expect((await ended("", null)).cause).toBeUndefined();
  });
});

test("what is left of a task is killed once it can be looked at, and only then its end is told", async () => {
  const group = join(dir, "group");
  const procs = join(group, "cgroup.procs");
  // Reading a directory fails with EISDIR, which no caller expects, as it expects no EIO and no EMFILE.
  mkdirSync(procs, { recursive: true });
  const left = own(Bun.spawn(["sleep", "60"]));
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const around = aroundOf(say);
  const exit = { exit_code: 7, signal: null, max_rss_bytes: null };
  const told = finish(heldIn(group), exit, around, () => undefined);
  await waitUntil("the keeper to say so", () => said.some((line) => line.includes("is tried again")));
  // The exit code is safe already, also from the death of the keeper.
  const noted = parseAttempt(readFileSync(claim, "utf8"));
  expect(noted).toMatchObject({ code: { exit_code: 7 }, exit: null });
  expect(isAlive(left.pid)).toBe(true);
  rmdirSync(procs);
  writeFileSync(procs, `${left.pid}\n`);
  await left.exited;
  expect(left.signalCode).toBe("SIGKILL");
  rmSync(procs);
  expect(await told).toMatchObject({ exit_code: 7, left: 1, reason: null });
  expect(parseAttempt(readFileSync(claim, "utf8")).exit).toMatchObject({ exit_code: 7, left: 1 });
  expect(said.filter((line) => line.includes("is tried again"))).toHaveLength(1);
});
