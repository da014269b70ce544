// An attached run prints all output of its job, however the job's end meets the way on which its output comes.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { Cluster } from "../support/cluster";
import { BINARY } from "../support/program";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "attached", agents: ["n1", "n2"] });
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

const FLAGS = ["run", "--cpu", "100m", "--memory", "32MiB", "-c"];

test("many short jobs print what they wrote, each of them", async () => {
  let begun = 0;
  const worker = async (): Promise<void> => {
    for (let n = begun++; n < 40; n = begun++) {
      const told = await cluster.orch(...FLAGS, `sleep 0.0${n % 10}; seq 1 500; echo ${n} >&2`);
      const out = Array.from({ length: 500 }, (_, at) => `${at + 1}\n`).join("");
      expect({ n, ...told }).toEqual({ n, code: 0, out, err: `${n}\n` });
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}, 120_000);

test("a server that is stopped in between costs none of it", async () => {
  const lines = "n=0; while [ $n -lt 100 ]; do n=$((n+1)); echo $n; sleep 0.05; done";
  const run = Bun.spawn([BINARY, ...FLAGS, lines], { env: cluster.env, stdout: "pipe", stderr: "ignore" });
  let text = "";
  const read = (async () => {
    for await (const bytes of run.stdout) text += new TextDecoder().decode(bytes);
  })();
  await waitUntil("the first lines", () => text.includes("9\n"));
  expect(await cluster.server?.kill("SIGTERM")).toBe(0);
  await cluster.startServer();
  expect(await run.exited).toBe(0);
  await read;
  expect(text).toBe(Array.from({ length: 100 }, (_, at) => `${at + 1}\n`).join(""));
}, 60_000);
