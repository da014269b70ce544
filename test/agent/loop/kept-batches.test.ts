// Batches between a real keeper and the reports of an agent's loop: what ran, what was stopped, and what a dead keeper
// has left.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { elementLog } from "../../../src/agent/tasks/element-logs";
import { readLog } from "../../../src/agent/tasks/logs";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { dirOfTask } from "../../../src/agent/tasks/taskdir";
import { createAgentLoop, type AgentLoop } from "../../../src/agent/loop/loop";
import { endOfPage } from "../../../src/core/agent/results";
import type { ElementResult } from "../../../src/core/model/array";
import type { Assignment, TaskReport, Verb } from "../../../src/core/model/record";
import { GIB } from "../../../src/core/units";
import { bootMs } from "../../../src/os/clock";
import { bootId } from "../../../src/os/proc";
import { machineOf } from "../../server/stage";
import { batchFor } from "../../support/batch-keeper";
import { bareKeeperCommand, KEEPER_COMMAND } from "../../support/fixtures/keeper";
import { NO_INPUTS } from "../../support/inputs";
import { isAlive, processOf, processesOf, signal } from "../../support/processes";
import { FENCE, makeSite, type OpenTasks, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const KINDS = [
  { kind: "with what control groups there are", command: KEEPER_COMMAND },
  { kind: "without control groups", command: bareKeeperCommand() ?? [] },
].filter(({ command }) => command.length > 0);

let site: Site;
let agent: Agent | null = null;
beforeEach(async () => {
  site = await makeSite();
});
afterEach(async () => {
  agent?.loop.stop();
  agent = null;
  expect(await site.close()).toEqual([]);
});

/** An agent, and a server that acknowledges each of its reports at once. */
class Agent {
  readonly results: ElementResult[] = [];
  readonly states: string[] = [];
  places = Number.NaN;
  private constructor(
    readonly tasks: OpenTasks,
    readonly loop: AgentLoop,
  ) {}

  static async start(keeper_command: readonly string[]): Promise<Agent> {
    const tasks = await site.open({ keeper_command });
    await tasks.load();
    const capacity = { cpu_milli: 1e6, memory_bytes: 999 * GIB, disk_bytes: 0, countables: {} };
    let entries: (told: readonly TaskReport[]) => void = () => undefined;
    const loop = await createAgentLoop({
      ...tasks,
      inputs: NO_INPUTS,
      machine: { ...machineOf("box1", { boot_id: bootId(), capacity }) },
      cards: { gate: () => [], verdicts: () => new Map(), blames: () => new Map() },
      clock: bootMs,
      say: () => undefined,
      report: (told) => entries(told),
    });
    const started = new Agent(tasks, loop);
    entries = (told) => told.forEach((entry) => started.#take(entry));
    return started;
  }

  #take({ uid, reported, results }: TaskReport): void {
    this.states.push(reported.state);
    if (results === undefined) return;
    expect(results.from).toBeLessThanOrEqual(this.results.length);
    this.results.splice(results.from, results.results.length, ...results.results);
    this.places = results.places;
    setImmediate(() => this.loop.hasResults(new Map([[uid, endOfPage(results)]])));
  }

  async assign(task: Assignment): Promise<void> {
    const taken = await this.loop.take(FENCE, { ...FENCE, revision: 1 }, 1, [{ verb: "assign", task }]);
    expect(taken).not.toBeNull();
  }

  async stop(uid: string, grace_ms: number): Promise<void> {
    const stop: Verb = { verb: "stop", uid, attempt: 1, assigned_revision: 1, signal: "TERM", grace_ms, why: "no" };
    await this.loop.take({ ...FENCE, applied_n: 1, revision: 1 }, { ...FENCE, revision: 2 }, 2, [stop]);
  }

  state(): string | undefined {
    return this.states.at(-1);
  }

  async is(state: string): Promise<void> {
    await waitUntil(`it to be ${state}`, () => this.state() === state, 20_000);
  }

  ends(): Record<number, ElementResult[1]> {
    return Object.fromEntries(this.results.map(([index, end]) => [index, end]));
  }
}

const shell = (script: string, count: number, places: number): Assignment => ({
  ...batchFor(count, places, { begins_for_ms: 60_000 }),
  command: { kind: "shell", shell: "sh", script },
});

async function logOf({ tasks }: Agent, uid: string, element: number): Promise<string> {
  const parts: Uint8Array[] = [];
  const query = { uid, name: "stdout", offset: 0, follow: false, since_age_ms: null } as const;
  const { outputIn, living } = elementLog(element, tasks.driver.reader(uid), () => true);
  const dirOf = (one: string): string | null => dirOfTask(site.data, one);
  const more = outputIn === undefined ? {} : { outputIn };
  const { signal: never } = new AbortController();
  const stream = readLog(query, { dirOf, clocks: clocksNow, signal: never, living, ...more });
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe.each(KINDS)("$kind", ({ command }) => {
  test("all elements run, each once, and their results and output are there", async () => {
    agent = await Agent.start(command);
    const task = shell("[ $ORCH_SLOT = 20 ] && exit 3; echo $ORCH_SLOT $ORCH_ATTEMPT", 40, 3);
    await agent.assign(task);
    await agent.is("succeeded");
    expect(agent.results.length).toBe(40);
    const expected = Array.from({ length: 40 }, (_, index) => [index, index === 5 ? 3 : 0]);
    expect(agent.ends()).toEqual(Object.fromEntries(expected));
    expect(await logOf(agent, task.uid, 12)).toBe("12 1\n");
    expect(await logOf(agent, task.uid, 20)).toBe("");
  });

  test("a place that is given up is told while the last element runs", async () => {
    agent = await Agent.start(command);
    await agent.assign(shell("[ $ORCH_SLOT = 10 ] || exit 0; echo up; exec sleep 60", 4, 3));
    await waitUntil("two places to be given up", () => agent!.places === 1);
    expect(agent.results.length).toBe(3);
    for (const one of processesOf(site.data).filter(({ command }) => command === "sleep 60")) signal(one, "SIGKILL");
  });

  test("a stop ends what runs, and nothing more begins", async () => {
    agent = await Agent.start(command);
    const wait = "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done";
    const task = shell(`[ $ORCH_SLOT -lt 14 ] && exit 0; ${wait}`, 40, 2);
    await agent.assign(task);
    const { uid } = task;
    await waitUntil("both to be up", async () => {
      const logs = await Promise.all([14, 16].map(async (element) => logOf(agent!, uid, element)));
      return logs.join("") === "up\nup\n";
    });
    await agent.stop(uid, 20_000);
    await agent.is("stopped");
    expect(agent.ends()).toEqual({ 0: 0, 1: 0, 2: "stopped", 3: "stopped" });
  });

  test("what does not obey is killed after the grace", async () => {
    agent = await Agent.start(command);
    const task = shell("trap '' TERM; echo up; while :; do sleep 0.05; done", 4, 2);
    await agent.assign(task);
    const { uid } = task;
    await waitUntil("one to be up", async () => (await logOf(agent!, uid, 10)) === "up\n");
    await agent.stop(uid, 300);
    await agent.is("stopped");
    expect(agent.ends()).toEqual({ 0: "stopped", 1: "stopped" });
  });

  test.each(["this agent", "the next agent"])("a dead keeper leaves what runs, and %s tells the rest", async (who) => {
    agent = await Agent.start(command);
    const gate = join(site.data, "gate");
    const task = shell(`[ $ORCH_SLOT -lt 14 ] && exit 0; echo $$; until [ -e ${gate} ]; do sleep 0.05; done`, 40, 2);
    await agent.assign(task);
    const pids = await waitUntil("both to be up", async () => {
      const logs = await Promise.all([14, 16].map(async (element) => logOf(agent!, task.uid, element)));
      return logs.every((text) => text.endsWith("\n")) ? logs.map(Number) : null;
    });
    if (who === "the next agent") {
      agent.loop.stop();
      agent.tasks.close();
    }
    const keeper = Number.parseInt(readdirSync(join(site.data, "keepers"))[0] ?? "", 10);
    signal(processOf(keeper)!, "SIGKILL");
    await waitUntil("the keeper to be dead", () => !isAlive(keeper));
    if (who === "the next agent") agent = await Agent.start(command);
    await waitUntil("it to be taken over", () => agent!.tasks.driver.seen().get(task.uid)?.process.is === "alive");
    expect(pids.every(isAlive)).toBe(true);
    expect(agent.state()).not.toBe("unknown");
    await Bun.write(gate, "");
    await agent.is("unknown");
    expect(agent.ends()).toEqual({ 0: 0, 1: 0, 2: "unknown", 3: "unknown" });
  });
});
