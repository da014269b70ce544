// The operator's commands, with real processes: what ends well, badly, late or not at all, and what is left of them.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { batteryOf } from "../../../src/agent/tests/battery";
import type { Finding } from "../../../src/agent/tests/part";
import { commandPart } from "../../../src/agent/tests/commands";
import type { Retest } from "../../../src/agent/cards/retest";
import type { TestLine } from "../../../src/agent/tests/tester";
import type { TestCommand } from "../../../src/core/model/node-tests";
import { Answerer } from "../../../src/os/process/answerer";
import { machineOf } from "../../server/stage";
import { processesOf } from "../../support/processes";
import { waitUntil } from "../../support/wait";

const data = mkdtempSync(join(tmpdir(), "orch-commands-"));
afterAll(() => rmSync(data, { recursive: true }));

/** This machine has no cards that could be looked at anew. */
const retest = async (): Promise<readonly Retest[]> => Promise.resolve([]);
const line = (signal = new AbortController().signal): TestLine => ({
  echo: async () => Promise.resolve(Date.now()),
  step: () => undefined,
  signal,
});
const command = (script: string, part: Partial<TestCommand> = {}): TestCommand => ({
  name: "soak",
  argv: ["/bin/sh", "-c", script],
  timeout_ms: 10_000,
  required: true,
  ...part,
});
async function run(test: TestCommand, signal?: AbortSignal): Promise<Finding> {
  const bench = { data, machine: () => machineOf("n1"), retest, child: new Answerer(["false"]) };
  const [found] = await commandPart(test).run(bench, line(signal));
  return found!;
}

const left = (): string[] => processesOf(data).map((one) => one.command);

describe("a command", () => {
  const cases: readonly (readonly [string, TestCommand, string, string])[] = [
    ["that ends well passes", command("echo fine"), "passed", "fine"],
    ["that says nothing", command("exit 0"), "passed", ""],
    [
      "that fails says how",
      command("echo one; echo no licence >&2; exit 3"),
      "failed",
      "exit code 3: no licence\none\nno licence",
    ],
    ["that is killed", command("kill -SEGV $$"), "failed", "ended by signal SEGV"],
    [
      "that is not there",
      { ...command(""), argv: ["/no/such/tool"] },
      "failed",
      "could not start: /no/such/tool is not there",
    ],
    ["that may fail", command("exit 1", { required: false }), "failed", "exit code 1"],
  ];
  test.each(cases)("%s", async (_what, one, verdict, detail) => {
    const found = await run(one);
    expect(found).toMatchObject({ name: "soak", verdict, required: one.required });
    expect(found.detail.split("\n").toSorted()).toEqual(detail.split("\n").toSorted());
    expect(found.detail.split("\n")[0]).toBe(detail.split("\n")[0]!);
  });

  test("has nothing of the agent's environment", async () => {
    process.env["ORCH_SECRET_OF_A_TEST"] = "s3cret";
    const found = await run(command("env; pwd"));
    delete process.env["ORCH_SECRET_OF_A_TEST"];
    expect(found.detail).not.toContain("s3cret");
    expect(found.detail).toContain("ORCH_TEST=soak");
    expect(found.detail).toContain(join(data, "tests"));
  });

  test("that does not end is killed with everything that it started", async () => {
    const found = await run(command("sleep 1000 & echo begun; sleep 1000", { timeout_ms: 300 }));
    expect(found).toMatchObject({ verdict: "failed", detail: "did not end within 300ms: begun" });
    await waitUntil("its processes to be gone", () => left().length === 0);
  });

  test("leaves nothing behind", async () => {
    expect((await run(command("sleep 1000 & exit 0"))).verdict).toBe("passed");
    await waitUntil("what it left to be gone", () => left().length === 0);
  });

  test("that writes without end keeps its last words only", async () => {
    const found = await run(command("yes | head -c 10000000; echo; echo last words; exit 1"));
    expect(found.detail).toStartWith("exit code 1: last words");
    expect(found.detail.length).toBeLessThan(2_100);
  });

  test("is called off with its battery", async () => {
    const abort = new AbortController();
    const running = run(command("echo begun; sleep 1000"), abort.signal);
    await waitUntil("it to run", () => left().length > 0);
    abort.abort();
    expect((await running).verdict).toBe("failed");
    await waitUntil("its processes to be gone", () => left().length === 0);
  });
});

test("a whole battery runs on this machine, in order, and every part says something", async () => {
  const steps: string[] = [];
  const battery = batteryOf({ data, machine: () => machineOf("n1"), retest });
  const own: TestLine = { ...line(), step: (name, n, of) => steps.push(`${n}/${of} ${name}`) };
  const results = await battery({ id: "a", commands: [command("echo fine")] }, own);
  expect(steps).toEqual(
    ["cpu", "memory", "disk_write", "filesystem", "cgroups", "network", "gpu", "soak"].map(
      (name, n) => `${n + 1}/8 ${name}`,
    ),
  );
  const names = ["cpu", "memory", "disk_write", "disk_read", "disk_sync", "filesystem", "cgroups", "clock", "network"];
  expect(results.map(({ name }) => name)).toEqual([...names, "network_rate", "soak"]);
  expect(results.filter(({ verdict }) => verdict === "failed")).toEqual([]);
});
