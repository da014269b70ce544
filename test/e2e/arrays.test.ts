// An array from the command line to its end, against the real binary: its elements run by number, the failed ones are
// named, and each has its own output.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { RunDetail } from "../../src/wire/api/runs";
import { Cluster } from "../support/cluster";
import { waitUntil } from "../support/wait";

const SMALL = ["--cpu", "20m", "--memory", "16MiB"];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "arrays", agents: ["n1", "n2"] });
});
afterAll(async () => expect(await cluster.close()).toEqual([]));

const show = (run: number | string): Promise<RunDetail> => cluster.json<RunDetail>("show", String(run));

test("an attached array has code 0 if all of its elements succeed, and prints nothing of them", async () => {
  const { code, out, err } = await cluster.orch(
    "run",
    "--array",
    "0-99%8",
    ...SMALL,
    "--name",
    "all",
    "-c",
    "echo $ORCH_SLOT",
  );
  expect([code, out]).toEqual([0, ""]);
  expect(err).toEndWith("succeeded: 100/100 done\n");
  const [run] = (await cluster.json<{ runs: RunDetail[] }>("runs")).runs;
  expect(run).toMatchObject({
    name: "all",
    state: "succeeded",
    array: { elements: "0-99%8", total: 100, succeeded: 100, failed: 0, stopped: 0, unknown: 0, again: 0, running: 0 },
  });
  for (const slot of [0, 57, 99]) expect(await cluster.ok("logs", `${run!.run}_${slot}`)).toBe(`${slot}\n`);
});

test("one that fails has code 1 and names the elements, which are shown and read one by one", async () => {
  const command = 'echo "I am $ORCH_SLOT"; case $ORCH_SLOT in 14) exit 3;; 20) kill -KILL $$;; esac';
  const { code, err } = await cluster.orch("run", "--array", "10-30:2", ...SMALL, "--name", "some", "-c", command);
  expect(code).toBe(1);
  const [run] = (await cluster.json<{ runs: RunDetail[] }>("runs")).runs;
  const number = run!.run;
  const failed = "2 of 11 elements did not succeed: 14 (exit code 3), 20 (signal KILL)";
  expect(err).toContain(`run ${number} failed: ${failed}`);
  expect(await show(`${number}_14`)).toMatchObject({
    name: `${number}_14`,
    state: "failed",
    exit_code: 3,
    signal: null,
  });
  expect(await show(`${number}_12`)).toMatchObject({ state: "succeeded", exit_code: 0 });
  expect(await cluster.ok("logs", `${number}_14`)).toBe("I am 14\n");
  expect(await cluster.ok("show", String(number))).toContain(failed);
  const wrong = await cluster.orch("logs", `${number}_15`);
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining("its elements are 10-30:2")]);
});

test("an element that fails is tried again, in a later round", async () => {
  await cluster.apply(`
app: again
jobs:
  flaky:
    array: 0-9
    retries: 1
    run: test $ORCH_SLOT != 7 || test $ORCH_ATTEMPT = 2
    resources: { cpu: 20m, memory: 16MiB }
`);
  const { run } = await waitUntil("the array to succeed", async () => {
    const run = (await cluster.json<{ runs: RunDetail[] }>("runs")).runs.find(({ name }) => name === "again.flaky");
    return run?.state === "succeeded" && run.array?.succeeded === 10 ? run : null;
  });
  expect(await cluster.ok("show", `${run}_7`)).toContain("attempts: 2\n");
  const earlier = await cluster.orch("show", `${run}_7#1`);
  expect([earlier.code, earlier.err]).toEqual([1, expect.stringContaining("was followed by attempt 2")]);
  const never = await cluster.orch("show", `${run}_7#9`);
  expect([never.code, never.err]).toEqual([1, expect.stringContaining("it has had 2")]);
});

test("what lives of an array is listed by its elements, and its cancel stops all of them", async () => {
  const number = (await cluster.ok("run", "-d", "--array", "0-999%4", ...SMALL, "--", "sleep", "1000")).trim();
  const waiting = await waitUntil("four to run", async () => {
    const run = await show(number);
    return run.array?.running === 4 ? run : null;
  });
  expect(waiting.tasks.every(({ elements }) => elements !== null)).toBe(true);
  expect((await cluster.orch("cancel", `${number}_0`)).code).toBe(1);
  const rest = await cluster.ok("explain", number);
  expect(rest.replaceAll(/\s+/g, " ")).toMatch(/\d+ of 1000 elements wait to be handed out: at most 4 may run at once/);
  const first = await cluster.ok("explain", `${number}_0`);
  expect(first).toStartWith(`${number}_0: its batch, sleep_[0-`);
  expect(first).toContain("which of its elements run now only that node knows");
  const logs = await cluster.orch("logs", `${number}_0`);
  expect([logs.code, logs.out]).toEqual([0, ""]);
  expect(logs.err).toStartWith(`orch: ${number}_0 has printed nothing yet, or has not begun: its batch is on n`);
  await cluster.ok("cancel", number);
  await waitUntil("the end", async () => (await show(number)).state === "cancelled");
  const states = new Set((await cluster.client().elements(number)).elements.map(({ state }) => state));
  expect([...states].toSorted()).toEqual(["cancelled", "stopped"]);
});

test("an element whose command is not there says so where its output would be", async () => {
  const { code, err } = await cluster.orch("run", "--array", "0-3", ...SMALL, "--name", "none", "--", "nosuchcmd");
  expect(code).toBe(1);
  expect(err.match(/4\/4 done/g)).toHaveLength(1);
  const [run] = (await cluster.json<{ runs: RunDetail[] }>("runs")).runs;
  const logs = await cluster.orch("logs", `${run!.run}_0`);
  expect([logs.code, logs.out]).toEqual([0, ""]);
  expect(logs.err).toBe(`orch: ${run!.run}_0 has printed nothing: exit 127: its command could not be started\n`);
});
