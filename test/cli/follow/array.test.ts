// An attached array tells how far it is, and at its end which elements have failed: against a real server without
// nodes, whose rows are written by hand.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ArrayRun } from "../../../src/core/model/array";
import { pageWith } from "../../../src/core/model/pages";
import type { RunRow } from "../../../src/core/model/rows-work";
import { buildFinal, buildTask } from "../../support/build";
import { NO_LAWS } from "../../support/moment";
import { waitUntil } from "../../support/wait";
import type { Stage } from "../../server/stage";
import { stage as stageOf } from "../stage";
import type { Context } from "../../../src/cli/context";
import { arrayNotes } from "../../../src/cli/follow/array";
import { served, type Command, type Served } from "../served";

let server: Served;
let stage: Stage;
beforeEach(async () => {
  server = await served({ laws: NO_LAWS });
  ({ stage } = server);
});
afterEach(async () => server.close());

const orch = (...argv: string[]): Command => server.orch("alice", ...argv);

const said = async ({ code, out, err }: Command): Promise<unknown> => [await code, out() + err()];

/** Begins an attached array of twenty elements, and returns it once it waits. */
async function begun(): Promise<Command & { readonly row: RunRow }> {
  const command = orch("run", "--array", "0-19%8", "--wait-for-nodes", "--name", "sweep", "--", "./one");
  const row = await waitUntil("the run", () => stage.api.store.state.runs.values().next().value ?? null);
  await waitUntil("the wait", () => command.err().includes("cannot run on any node"));
  return { ...command, row };
}

/** Writes how far the array is. */
async function goes({ row }: { readonly row: RunRow }, part: Partial<ArrayRun>): Promise<void> {
  await stage.api.store.commit("test", (draft) => {
    const array = { ...row.array!, ...part };
    draft.put([{ table: "runs", key: row.uid, row: { ...row, state: "running", started_ms: 1, array } }]);
  });
}

/** As the plan words it. */
const FAILED = "2 of 20 elements did not succeed: 3 (exit code 1), 7 (signal KILL)";

/** Writes the end of the array, with the states of its elements. */
async function ends({ row }: { readonly row: RunRow }, state: "succeeded" | "failed", states: string[]): Promise<void> {
  await stage.api.store.commit("test", (draft) => {
    const succeeded = states.filter((one) => one === "0").length;
    const array = { ...row.array!, succeeded, failed: states.length - succeeded };
    const reason = state === "failed" ? FAILED : null;
    const over = { ...row, state, started_ms: 1, finished_ms: 2, array, reason, exit_code: 3 };
    draft.put([
      { table: "runs", key: row.uid, row: null },
      { table: "ended_runs", key: row.uid, row: over },
      { table: "ended_elements", key: `${row.uid}/0`, row: pageWith(row.uid, 0, states) },
    ]);
  });
}

const all = (...failed: readonly (readonly [at: number, state: string])[]): string[] =>
  failed.reduce((states, [at, state]) => states.with(at, state), Array<string>(20).fill("0"));

describe("an attached array", () => {
  test("tells each further tenth and the first failure, and names the failed ones at its end", async () => {
    const array = await begun();
    for (const [part, line] of [
      [{ succeeded: 4 }, "4/20 done"],
      [{ succeeded: 4, failed: 1 }, "5/20 done, 1 failed"],
      [{ succeeded: 9, failed: 1 }, "10/20 done, 1 failed"],
    ] as const) {
      await goes(array, part);
      await waitUntil(line, () => array.err().includes(`run 1: ${line}\n`));
    }
    // This is less than a tenth, and told with what follows.
    await goes(array, { succeeded: 10, failed: 1 });
    await ends(array, "failed", all([3, "1"], [7, "KILL"]));
    expect(await array.code).toBe(1);
    expect(array.out()).toBe("");
    expect(array.err()).not.toContain("11/20");
    expect(array.err()).toEndWith(`orch: run 1: 20/20 done, 2 failed\norch: run 1 failed: ${FAILED}\n`);
  });
  test("that has succeeded says so, with code 0", async () => {
    const array = await begun();
    await ends(array, "succeeded", all());
    expect(await array.code).toBe(0);
    expect(array.err()).toEndWith("orch: run 1 succeeded: 20/20 done\n");
  });
});

test("what an older look says of an array is not told behind what a newer one has said", () => {
  const { host, err } = stageOf();
  const context = { host, note: (text: string) => host.err.write(`${text}\n`) } as unknown as Context;
  const say = arrayNotes(context);
  const now = (succeeded: number, failed: number) => {
    const sums = { total: 4, succeeded, failed, stopped: 0, unknown: 0, again: 0, running: 0 };
    say({ run: 1, array: { ...sums, elements: "0-3" } });
  };
  now(0, 4);
  now(0, 0);
  now(2, 0);
  now(0, 4);
  expect(err()).toBe("orch: run 1: 4/4 done, 4 failed\n");
});

test("a cancel that no server has taken is no cancel: it is told that the run goes on", async () => {
  const array = await begun();
  await server.deaf();
  array.interrupt();
  expect(await array.code).toBe(125);
  expect(array.err()).toContain("orch: no server answers at ");
  expect(array.err()).toEndWith("orch: run 1 could not be cancelled, and goes on; cancel it again: orch cancel 1\n");
  expect(array.err()).not.toContain("being cancelled");
}, 30_000);

test("a second Ctrl-C does not wait for a server that does not answer, and says that it has not", async () => {
  const array = await begun();
  await server.deaf();
  array.interrupt();
  array.interrupt();
  expect(await array.code).toBe(130);
  expect(array.err()).toEndWith(
    "orch: no server has answered yet, so run 1 may go on; see: orch show 1; cancel it again: orch cancel 1\n",
  );
});

test("an element is shown, and an array as a whole has no output and cannot be cancelled by an element", async () => {
  const array = await begun();
  expect(await said(orch("cancel", "1_0"))).toEqual([
    1,
    "orch: 1_0 is a part of run 1. The whole run: orch cancel 1\n",
  ]);
  await stage.api.store.commit("test", (draft) => {
    draft.put([{ table: "elements", key: `${array.row.uid}/0`, row: pageWith(array.row.uid, 0, all([7, "3"])) }]);
  });
  await goes(array, { succeeded: 19, failed: 1 });
  const living = orch("show", "1");
  expect(await living.code).toBe(0);
  expect(living.out()).toContain("elements:      0-19%8: 20/20 done, 1 failed\nnot succeeded: exit 3: 7\n");
  await ends(array, "failed", all([7, "3#2"]));
  await array.code;
  const element = (name: string): string =>
    [`element:  ${name}`, "state:    failed, exit 3", "attempts: 2", "array:    orch show 1", ""].join("\n");
  expect(await said(orch("show", "1_7"))).toEqual([0, element("1_7")]);
  expect(await said(orch("show", "1_7#2"))).toEqual([0, element("1_7#2")]);
  expect(await said(orch("show", "1_7#1"))).toEqual([
    1,
    "orch: attempt 1 of 1_7 has not succeeded, and was followed by attempt 2; how it ended is not kept, only how the " +
      "last one did (orch logs 1_7#1 shows what it printed, orch show 1_7 the last one)\n",
  ]);
  expect(await said(orch("show", "1_7#9"))).toEqual([1, expect.stringContaining("there is no attempt 9 of 1_7: ")]);
  const shown = orch("show", "1_7", "--json");
  expect(await shown.code).toBe(0);
  expect(JSON.parse(shown.out())).toEqual({
    name: "1_7",
    run: 1,
    slot: 7,
    state: "failed",
    exit_code: 3,
    signal: null,
    cause: null,
    attempts: 2,
    why: null,
    task: null,
  });
  expect(await said(orch("show", "1_7", "-q"))).toEqual([0, "1_7\n"]);
  const whole = orch("show", "1");
  expect(await whole.code).toBe(0);
  expect(whole.out()).toContain(`state:         failed, ${FAILED}\n`);
  expect(whole.out()).toContain("not succeeded: exit 3: 7\n");
  const json = orch("show", "1", "--json");
  expect(await json.code).toBe(0);
  expect(JSON.parse(json.out())).toMatchObject({
    failed_elements: [{ state: "failed", exit_code: 3, signal: null, count: 1, elements: "7" }],
  });
  for (const which of [["1"], [], ["-f", "1", "--attempt", "1"], ["1", "--json"]]) {
    expect(await said(orch("logs", ...which))).toEqual([
      2,
      "orch: run 1 is an array, and each of its elements has its own output. " +
        "Name one: orch logs 1_SLOT; which have failed: orch show 1; until all are over: orch logs -f 1\n",
    ]);
  }
});

test("an array is followed to its end, with the words and the exit code of an attached one", async () => {
  const array = await begun();
  await goes(array, { succeeded: 3, failed: 1 });
  const followers = [orch("logs", "-f", "1"), orch("logs", "-f", "sweep"), orch("logs", "-f")];
  for (const { err } of followers)
    await waitUntil("how far it is", () => err().includes("run 1: 4/20 done, 1 failed\n"));
  await ends(array, "failed", all([3, "1"], [7, "KILL"]));
  const inJson = orch("logs", "-f", "1", "--json");
  expect(await inJson.code).toBe(1);
  const lines = inJson.out().trim().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { run: 1, array: expect.objectContaining({ total: 20, succeeded: 18, failed: 2 }) },
    expect.objectContaining({ run: 1, state: "failed", reason: FAILED }),
  ]);
  const names = orch("logs", "-q", "1");
  expect(await names.code).toBe(0);
  expect(names.out()).toStartWith("1_0\n1_1\n");
  for (const follower of [array, ...followers, orch("logs", "-f", "1")]) {
    expect(await follower.code).toBe(1);
    expect(follower.err()).toEndWith(`orch: run 1 failed: ${FAILED}\n`);
  }
});

test("what is over gives no advice that is refused: an array as a whole has no output", async () => {
  const array = await begun();
  const batch = { parts: [[0, 19]] as const, round: 1, places: 2, told: 20, label: "0-19" };
  const task = buildTask(array.row, "n1", { batch, observed: buildFinal({ state: "succeeded" }) });
  await stage.api.store.commit("test", (draft) => {
    draft.put([{ table: "ended_tasks", key: task.uid, row: task }]);
  });
  await ends(array, "succeeded", all());
  for (const verb of ["explain", "cancel"]) {
    const [code, text] = (await said(orch(verb, "1"))) as [number, string];
    expect([code, text]).toEqual([1, expect.stringContaining("(orch show 1 says more)\n")]);
  }
});

test("the output of an element that has not begun is waited for, and where it never begins all say why", async () => {
  const array = await begun();
  const follower = orch("logs", "-f", "1_7");
  await waitUntil("why it waits", () => follower.err() !== "");
  expect(follower.err()).toStartWith("orch: nothing of 1_7 has run yet: it cannot run on any node: ");
  await goes(array, { succeeded: 3 });
  expect(await said(orch("logs", "1_7"))).toEqual([1, expect.stringContaining("1_7 has no output yet: ")]);
  expect((await said(orch("cancel", "1"))) as unknown[]).toContain(0);
  await stage.planned();
  expect(await follower.code).toBe(1);
  const why = "its run was cancelled by alice";
  expect(follower.err()).toContain(`1_7 never began, so it has no output: ${why} (orch show 1 says more)\n`);
  expect(await said(orch("show", "1_7"))).toEqual([
    0,
    ["element: 1_7", `state:   never began: ${why}`, "array:   orch show 1", ""].join("\n"),
  ]);
  expect(await said(orch("explain", "1_7"))).toEqual([
    1,
    `orch: 1_7 is over: never began: ${why} (orch show 1 says more)\n`,
  ]);
});

test("a number alone is answered with the range that is meant, within what an array may have", async () => {
  for (const [typed, hint] of [
    ["0", "for this one alone: `0-0`"],
    ["5", "for so many: `0-4`; for this one alone: `5-5`"],
    ["9999999", "for this one alone: `9999999-9999999`"],
  ] as const) {
    const [code, text] = (await said(orch("run", "--array", typed, "--", "./one"))) as [number, string];
    expect([code, text]).toEqual([2, expect.stringContaining(`(${hint})`)]);
  }
});

test("a run that is attached has no answer to print as JSON", async () => {
  expect(await said(orch("run", "--json", "--array", "0-9", "--", "./one"))).toEqual([
    2,
    "orch: --json is the answer of a run that is left alone. Take it with -d: orch run -d --json …\n",
  ]);
});

test("a wrong range is told by its flag", async () => {
  const wrong = orch("run", "--array", "9-0", "--", "./one");
  expect(await wrong.code).toBe(2);
  expect(wrong.err()).toBe('orch: --array: "9-0" ends before it begins: 0 is below 9\n');
});
