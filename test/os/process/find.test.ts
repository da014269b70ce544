// The processes of a task among all others: by its main process and its session, by its mark, and by descent.

import { afterAll, expect, test } from "bun:test";
import { randomHex } from "../../../src/os/dice";
import { statOf } from "../../../src/os/proc";
import { killAll, Processes, type Sought } from "../../../src/os/process/find";
import { isAlive } from "../../support/processes";
import { waitUntil } from "../../support/wait";

const marker = `ORCH_TASK=${randomHex(8)}`;
const started: number[] = [];
afterAll(() => {
  for (const pid of started) if (isAlive(pid)) process.kill(pid, "SIGKILL");
});

/** Says its pid and that of a child, and stays. Neither has a mark. */
const FAMILY = "env -i setsid sh -c 'echo $$; sleep 60 & echo $!; wait'";

/** Runs a script in a session of its own, which prints as many pids as `count` says. Returns its own pid, and those. */
async function run(script: string, count: number): Promise<[leader: number, ...printed: number[]]> {
  const child = Bun.spawn(["sh", "-c", script], {
    stdout: "pipe",
    detached: true,
    env: { PATH: "/usr/bin:/bin", FAMILY },
  });
  started.push(child.pid);
  const reader = child.stdout.getReader();
  let text = "";
  while (text.split("\n").length <= count) text += new TextDecoder().decode((await reader.read()).value);
  const pids = text.trim().split("\n").map(Number);
  started.push(...pids);
  return [child.pid, ...pids];
}

const handle = (pid: number) => ({ pid, start: statOf(pid)?.start ?? "" });
const found = (sought: Partial<Sought>): number[] =>
  new Processes()
    .find({ leader: null, recent: false, marker: null, ...sought })
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b);
const sorted = (...pids: number[]): number[] => pids.toSorted((a, b) => a - b);

test("a session is found, and what descends from it, whatever session and environment that has", async () => {
  const pids = await run(`sleep 60 & echo $!; ${FAMILY} & wait`, 3);
  expect(found({ leader: handle(pids[0]) })).toEqual(sorted(...pids));
  // Another process had that pid.
  expect(found({ leader: { pid: pids[0], start: "0" }, recent: true })).toEqual([]);
});

test("a mark is found, and what descends from it", async () => {
  const [, ...pids] = await run(`${marker} setsid sh -c 'echo $$; eval "exec $FAMILY" & wait' &`, 3);
  expect(found({ marker })).toEqual(sorted(...pids));
  const all = new Processes();
  expect(killAll(all.find({ leader: null, recent: false, marker }))).toBe(3);
  await waitUntil("all of them to be dead", () => !pids.some(isAlive));
  expect(found({ marker })).toEqual([]);
});

test("the session of a process that is gone is its own while it is fresh, or while a mark vouches for it", async () => {
  const [pid, child] = await run("env -i sleep 60 & echo $!", 1);
  const leader = handle(pid);
  await waitUntil("the leader to be gone", () => statOf(pid) === null);
  expect(found({ leader })).toEqual([]);
  expect(found({ leader, marker })).toEqual([]);
  expect(found({ leader, recent: true })).toEqual([child!]);

  const [gone, ...pids] = await run(`env -i sleep 60 & echo $!; ${marker} sleep 60 & echo $!`, 2);
  await waitUntil("the leader to be gone", () => statOf(gone) === null);
  expect(found({ leader: { pid: gone, start: "0" }, marker })).toEqual(sorted(...pids));
  expect(found({ leader: { pid: gone, start: "0" }, marker: `${marker}0` })).toEqual([]);
});

test("what was found before is found again although it belongs to nobody any more, and never a stranger", async () => {
  const [, daemon, child] = await run(`${FAMILY} &`, 2);
  const known = [handle(daemon!)];
  expect(found({ known })).toEqual(sorted(daemon!, child!));
  expect(found({ known: [{ pid: daemon!, start: "0" }] })).toEqual([]);
});

test("this process itself is never found", () => {
  expect(found({ leader: handle(process.pid), known: [handle(process.pid)] })).not.toContain(process.pid);
});
