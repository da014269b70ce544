// An attached run has all output of its job, or says that it has not and gives another exit code: against a real server
// whose agent is played by hand, so that a log ends in every way in which it can.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Tail } from "../../../src/core/model/end";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { handAgent, type HandAgent } from "../../server/hand-agent";
import type { Stage } from "../../server/stage";
import { served, type Command, type Served } from "../served";

let server: Served;
let stage: Stage;
let agent: HandAgent;
/** How many of the logs that the server has opened are answered. */
let opened = 0;
beforeEach(async () => {
  server = await served();
  ({ stage } = server);
  agent = await handAgent(stage, "n1");
  opened = 0;
});
afterEach(async () => server.close());

const orch = (...argv: string[]): Command => server.orch("alice", ...argv);

/** Begins an attached run, and reports that it runs. */
async function begun(...flags: string[]): Promise<Command & { readonly task: TaskRow }> {
  const command = orch("run", ...flags, "--name", "job", "--", "sh", "-c", "echo");
  const task = await waitUntil("the task", () => stage.api.store.state.tasks.values().next().value ?? null);
  agent.report([reportOf(task, { state: "running", pid: 7, started_age_ms: 5 })]);
  return { ...command, task };
}

function over(task: TaskRow, tail: Tail | null = null): void {
  const end = { reason: null, started_age_ms: 5, finished_age_ms: 1, exit_code: 0, signal: null };
  agent.report([reportOf(task, { state: "succeeded", ...end, peak_memory_bytes: null, tail, next: null })]);
}

/** Waits for the next log that the server opens, and returns its number. */
async function next(name: "stdout" | "stderr"): Promise<number> {
  const open = await agent.told("open", ++opened);
  expect(open.what.name).toBe(name);
  return open.stream;
}

/** Answers both streams of a task that has said nothing so far. Standard error is empty. */
async function streams(): Promise<number> {
  const stdout = await next("stdout");
  ends(await next("stderr"), null);
  return stdout;
}

const ends = (stream: number, error: string | null): void => agent.say({ type: "end", stream, error });

describe("an attached run", () => {
  test("goes on with a log that breaks off, and has each byte once", async () => {
    const { task, code, out, err } = await begun();
    const first = await streams();
    agent.send(first, "one\n");
    await waitUntil("the first line", () => out() === "one\n");
    ends(first, "the disk is slow");
    const second = await next("stdout");
    over(task);
    agent.send(second, "one\ntwo\n");
    ends(second, null);
    expect([await code, out(), err()]).toEqual([0, "one\ntwo\n", ""]);
  });

  test("goes on with a log that breaks off before its first byte", async () => {
    const { task, code, out, err } = await begun();
    ends(await streams(), "its output is moved");
    over(task);
    const second = await next("stdout");
    agent.send(second, "all\n");
    ends(second, null);
    expect([await code, out(), err()]).toEqual([0, "all\n", ""]);
  });

  test("gives 125 and says so if its output never comes, although the job succeeded", async () => {
    const { task, code, out, err } = await begun();
    const first = await streams();
    agent.send(first, "one\n");
    await waitUntil("the first line", () => out() === "one\n");
    over(task);
    agent.hangUp();
    expect(await code).toBe(125);
    expect(out()).toBe("one\n");
    expect(err()).toMatch(
      /^orch: not all output of 1 has come: .*cannot be read: n1 cannot be asked now.* See: orch logs \w+\n$/,
    );
  }, 30_000);

  test("gives 125 if only the last bytes are left", async () => {
    const { task, code, out, err } = await begun();
    await streams();
    over(task, { stdout: "last\n", stderr: "" });
    agent.hangUp();
    expect(await code).toBe(125);
    expect(out()).toBe("last\n");
    expect(err()).toContain("n1 cannot be asked now: these are the last 4 KiB that were kept");
  }, 30_000);

  test("is not ended by a server that cuts its answers", async () => {
    const { task, code, out, err } = await begun();
    const first = await streams();
    agent.send(first, "one\n");
    await waitUntil("the first line", () => out() === "one\n");
    stage.api.longAnswers.stop();
    const second = await next("stdout");
    over(task);
    agent.send(second, "one\ntwo\n");
    ends(second, null);
    expect([await code, out()]).toEqual([0, "one\ntwo\n"]);
    expect(err()).not.toContain("not all output");
  }, 30_000);
});

describe("whoever reads the API without orch", () => {
  /** Follows with curl. Returns its exit code and the bytes. */
  async function curl(task: TaskRow, act: (stream: number) => unknown): Promise<{ code: number; text: string }> {
    const url = `${server.url}/v1/tasks/${task.uid}/logs?follow=true`;
    const line = ["curl", "-skN", "-H", `authorization: Bearer ${stage.tokens["alice"]}`, url];
    const child = Bun.spawn(line, { stdout: "pipe", stderr: "inherit" });
    await act(await next("stdout"));
    const text = await new Response(child.stdout).text();
    return { code: await child.exited, text };
  }

  test("sees by the end of an answer whether it is whole", async () => {
    const { task } = await begun("-d");
    const whole = await curl(task, (stream) => {
      agent.send(stream, "all\n");
      ends(stream, null);
    });
    expect(whole).toEqual({ code: 0, text: "all\n" });
    expect(await curl(task, (stream) => ends(stream, null))).toEqual({ code: 0, text: "" });
    const cut = [
      (stream: number) => ends(stream, "at once"),
      (stream: number) => {
        agent.send(stream, "a part\n");
        ends(stream, "after some bytes");
      },
      () => stage.api.longAnswers.stop(),
      () => agent.hangUp(),
    ];
    for (const act of cut) expect(await curl(task, act)).toMatchObject({ code: 56 });
  }, 30_000);
});
