// The last lines of logs, and their times, as `orch logs` shows them.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { Cluster } from "../support/cluster";
import { BINARY } from "../support/program";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "logs", agents: ["n1", "n2"] });
  const count = "for n in 1 2 3; do echo line $n; echo error $n >&2; done";
  const services = `  web: { run: "${count}; sleep 600", replicas: 2, resources: { cpu: 10m, memory: 8MiB } }`;
  const jobs = `  once: { run: "${count}", resources: { cpu: 10m, memory: 8MiB } }`;
  expect(await cluster.apply(`app: shop\nproject: lab\nservices:\n${services}\njobs:\n${jobs}\n`)).toMatchObject({
    code: 0,
  });
  await cluster.until("all of them", (tasks) => {
    const states = tasks.map(({ state }) => state).toSorted();
    return states.join() === "running,running,succeeded";
  });
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

const sorted = (text: string): string[] => text.trimEnd().split("\n").toSorted();

test("each task shows its last lines, also one that is over", async () => {
  await waitUntil("the output", async () => (await cluster.ok("logs", "shop.web")).split("\n").length === 7);
  expect(sorted(await cluster.ok("logs", "--tail", "1", "shop.web"))).toEqual([
    "shop.web.0 | line 3",
    "shop.web.1 | line 3",
  ]);
  const { out, err } = await cluster.orch("logs", "--tail", "2", "shop.once");
  expect(out).toBe("line 2\nline 3\n");
  expect(err).toBe("error 2\nerror 3\n");
  expect(await cluster.ok("logs", "--tail", "0", "shop.once")).toBe("");
  expect(await cluster.ok("logs", "--tail", "100", "shop.once")).toBe("line 1\nline 2\nline 3\n");
  expect(await cluster.orch("logs", "--tail", "x", "shop.once")).toMatchObject({ code: 2 });
});

test("with -t each line is behind its time, which is a field of --json", async () => {
  const lines = (await cluster.ok("logs", "-t", "shop.once")).trimEnd().split("\n");
  const times = lines.map((line) => Date.parse(/^(\S+Z) line \d$/.exec(line)?.[1] ?? ""));
  expect(times).toHaveLength(3);
  for (const time_ms of times) expect(Math.abs(Date.now() - time_ms)).toBeLessThan(60_000);
  const asked = ["-t", "--tail", "1", "shop.once"];
  const { lines: told } = await cluster.json<{ lines: { line: string; time_ms: number }[] }>("logs", ...asked);
  expect(told.map(({ line }) => line).toSorted()).toEqual(["error 3", "line 3"]);
  for (const { time_ms } of told) expect(times).toContain(time_ms);
});

test("with -t both outputs come in the order of their times", async () => {
  const both = "for n in 1 2 3; do echo out $n; sleep 0.3; echo err $n >&2; sleep 0.3; done";
  const run = (await cluster.ok("run", "-d", "-c", both)).trim();
  await waitUntil("its end", async () => (await cluster.json<{ state: string }>("show", run)).state === "succeeded");
  const asked = Bun.spawn(["sh", "-c", `${BINARY} logs -t ${run} 2>&1`], { env: cluster.env, stdout: "pipe" });
  const lines = (await new Response(asked.stdout).text()).trimEnd().split("\n");
  expect(lines.map((line) => line.slice(25)).toSorted()).toEqual([
    "err 1",
    "err 2",
    "err 3",
    "out 1",
    "out 2",
    "out 3",
  ]);
  expect(lines).toEqual(
    lines.toSorted((a, b) => (a.slice(0, 24) < b.slice(0, 24) ? -1 : a.slice(0, 24) > b.slice(0, 24) ? 1 : 0)),
  );
  const { lines: told } = await cluster.json<{ lines: { time_ms: number }[] }>("logs", "-t", run);
  const times = told.map(({ time_ms }) => time_ms);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test("-f --tail 0 follows from now", async () => {
  const run = (await cluster.ok("run", "-d", "-c", "echo early; while :; do echo tick; sleep 0.1; done")).trim();
  await waitUntil("its output", async () => (await cluster.orch("logs", run)).out.includes("tick"));
  const told = await Promise.all(["0", "1"].map(async (tail) => firstOf("logs", "-f", "--tail", tail, run)));
  for (const text of told) expect(text).toMatch(/^(tick\n)+/);
  expect(await firstOf("logs", "-f", run)).toStartWith("early\n");
  await cluster.ok("cancel", run);
});

test("a server that dies costs a follower of last lines none, and gives none twice", async () => {
  const count = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.02; done";
  const run = (await cluster.ok("run", "-d", "-c", count)).trim();
  await waitUntil("its output", async () => (await cluster.orch("logs", run)).out.includes("\n9\n"));
  const args = [BINARY, "logs", "-f", "-t", "--tail", "3", run];
  const following = Bun.spawn(args, { env: cluster.env, stdout: "pipe", stderr: "ignore" });
  let text = "";
  const read = (async () => {
    for await (const bytes of following.stdout) text += new TextDecoder().decode(bytes);
  })();
  await waitUntil("the first lines", () => text !== "");
  await cluster.server?.kill();
  await cluster.startServer();
  const before = text.length;
  await waitUntil("more", () => text.length > before + 1_000);
  await cluster.ok("cancel", run);
  await read;
  const numbers = text
    .trimEnd()
    .split("\n")
    .map((line) => Number(/^\S+Z (\d+)$/.exec(line)?.[1]));
  const [first = 0] = numbers;
  expect(first).toBeGreaterThan(1);
  expect(numbers).toEqual(numbers.map((_, n) => first + n));
});

/** Returns the beginning of what a command prints that goes on. */
async function firstOf(...args: string[]): Promise<string> {
  const following = Bun.spawn([BINARY, ...args], { env: cluster.env, stdout: "pipe", stderr: "ignore" });
  try {
    for await (const bytes of following.stdout) return new TextDecoder().decode(bytes);
    throw new Error("it printed nothing");
  } finally {
    following.kill();
    await following.exited;
  }
}
