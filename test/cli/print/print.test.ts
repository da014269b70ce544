// What people see, held as golden files: the server's JSON in, the printed lines out. The part of a file's name before
// the first dash says what is printed, a number at its end how wide the terminal is. A file whose input is only a name
// has the input of the file of that name.

import { describe, expect, test } from "bun:test";
import { appColumns } from "../../../src/cli/print/apps";
import { block } from "../../../src/cli/print/block";
import { allBlockedLines, placedLines, type PlacedView } from "../../../src/cli/print/explain";
import { paintState, style, wantsColor } from "../../../src/cli/print/color";
import { sayText } from "../../../src/cli/print/complain";
import { gpuColumns, processColumns, processesOf } from "../../../src/cli/print/gpus";
import { nodeLines } from "../../../src/cli/print/node";
import { nodeColumns } from "../../../src/cli/print/nodes";
import { planLines } from "../../../src/cli/print/plan";
import { cores, lasted, share } from "../../../src/cli/print/figures";
import { type ElementDetail, elementLines, endedAlike, sayEnded } from "../../../src/cli/print/elements";
import { runLines } from "../../../src/cli/print/run";
import { queueColumns, queued, queueListing, runColumns } from "../../../src/cli/print/runs";
import { listing } from "../../../src/cli/print/listing";
import { table } from "../../../src/cli/print/table";
import { taskColumns, taskListing } from "../../../src/cli/print/tasks";
import { elementView } from "../../../src/wire/api/arrays";
import { appView } from "../../../src/wire/api/apps";
import { gpuView } from "../../../src/wire/api/devices";
import { nodeView } from "../../../src/wire/api/nodes";
import { planView, type BlockedView } from "../../../src/wire/api/plans";
import { runDetail, runView } from "../../../src/wire/api/runs";
import { taskView } from "../../../src/wire/api/tasks";
import { goldenTests, inputOf } from "../../support/golden";

const NOW_MS = 1_700_000_000_000;
const PLAIN = style(false);

describe("the printed form of", () => {
  goldenTests("test/golden/cli", (input, name) => {
    const width = /-(\d+)$/.exec(name)?.[1];
    const print = printers[name.split("-")[0] ?? ""];
    return print?.(givenBy(input), width === undefined ? null : Number(width)).join("\n") ?? `no printer for ${name}`;
  });
});

function givenBy(input: string): never {
  const given: unknown = JSON.parse(input);
  return (typeof given === "string" ? JSON.parse(inputOf("test/golden/cli", given)) : given) as never;
}

/** Each view is held against its schema, so that a file tells which field of it is missing. */
const printers: Readonly<Record<string, (given: never, width: number | null) => string[]>> = {
  ps: ({ tasks }: { tasks: unknown[] }, width) =>
    listing(
      { columns: taskColumns(NOW_MS, "search", PLAIN), ...taskListing(false) },
      taskView.array().parse(tasks),
      width,
      PLAIN,
    ),
  nodes: ({ nodes, tasks }: { nodes: unknown[]; tasks: Record<string, number> }, width) =>
    table(nodeColumns(NOW_MS, new Map(Object.entries(tasks)), PLAIN), nodeView.array().parse(nodes), width),
  node: (given: unknown, width) => nodeLines(nodeView.parse(given), { now_ms: NOW_MS, style: PLAIN, width }),
  gpus: (given: { gpus: unknown[]; wide?: boolean }, width) => {
    const gpus = gpuView.array().parse(given.gpus);
    return table(gpuColumns(gpus, NOW_MS, given.wide === true, PLAIN), gpus, width);
  },
  processes: ({ gpus }: { gpus: unknown[] }, width) =>
    table(processColumns(gpuView.array().parse(gpus), PLAIN), processesOf(gpuView.array().parse(gpus)), width),
  plan: (given: unknown, width) =>
    planLines(planView.parse(given), { style: PLAIN, width, home: "search", whole: false }),
  placed: ({ ref, placed }: { ref: string; placed: PlacedView }, width) => placedLines(ref, placed, null, width),
  blocked: (given: BlockedView, width) =>
    allBlockedLines([{ ...given, smallest_changes: given.smallest_changes ?? [] }], PLAIN, width),
  // Times are printed in the local time zone: only what has none is held here.
  show: (given: never) => block(given, PLAIN),
  element: ({ task, name, run, why, ...view }: ElementDetail, width) =>
    elementLines(
      { ...elementView.parse(view), name, run, why, task: task === null ? null : taskView.parse(task) },
      { style: PLAIN, width },
    ),
  run: ({ failed = [], ...given }: { failed?: unknown[] }, width) =>
    runLines(
      runDetail.parse(given),
      { now_ms: NOW_MS, style: PLAIN, width },
      endedAlike(
        failed.map((one) => elementView.parse(one)),
        String((given as { array?: { elements?: string } }).array?.elements),
      ),
    ).map((line) => line.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "(its own time zone)")),
  apps: ({ apps }: { apps: unknown[] }, width) => table(appColumns(NOW_MS), appView.array().parse(apps), width),
  runs: ({ runs }: { runs: unknown[] }, width) => table(runColumns(NOW_MS, PLAIN), runView.array().parse(runs), width),
  queue: ({ runs, slots }: { runs: unknown[]; slots: unknown[] }, width) =>
    listing(
      { columns: queueColumns(NOW_MS), ...queueListing(false) },
      queued(runView.array().parse(runs), taskView.array().parse(slots), "search"),
      width,
      PLAIN,
    ),
  error: (given: never) => [sayText(given, "app.yaml")],
};

test("a hint names what is another project's so that it can be typed", () => {
  const given = JSON.parse(inputOf("test/golden/cli", "queue")) as { slots: unknown };
  const slots = taskView.array().parse(given.slots);
  const [slot] = slots.filter(({ blocked }) => blocked === "unsatisfiable");
  const hints = (home: string): string[] => [
    table(taskColumns(NOW_MS, home, PLAIN), [slot!], null).join("\n"),
    table(queueColumns(NOW_MS), queued([], [slot!], home), null).join("\n"),
  ];
  for (const lines of hints("search")) expect(lines).toEndWith("what would help: orch explain recs.huge");
  for (const lines of hints("other")) expect(lines).toEndWith("what would help: orch explain search/recs.huge");
});

describe("colour", () => {
  test("is on a terminal only", () => {
    expect(wantsColor(true, { TERM: "xterm" })).toBe(true);
    expect(wantsColor(false, { TERM: "xterm" })).toBe(false);
  });
  test("is never where NO_COLOR is set or the terminal is dumb", () => {
    expect(wantsColor(true, { NO_COLOR: "1" })).toBe(false);
    expect(wantsColor(true, { TERM: "dumb" })).toBe(false);
    expect(wantsColor(true, { NO_COLOR: "" })).toBe(true);
  });
  test("is put out again, and not made where it is off", () => {
    expect(paintState(style(true), "failed")).toBe("\x1b[31mfailed\x1b[39m");
    expect(paintState(style(false), "failed")).toBe("failed");
  });
  test.each([
    ["lost", 31],
    ["ready", 32],
    ["pending", 33],
    ["cancelled", 2],
  ])("of the state %s is %i", (state, code) =>
    expect(paintState(style(true), state)).toStartWith(`\x1b[${code}m${state}`),
  );
});

describe("a table", () => {
  const columns = [
    { title: "NAME", cell: (row: readonly string[]) => row[0] ?? "" },
    { title: "N", align: "right" as const, cell: (row: readonly string[]) => row[1] ?? "" },
    { title: "WHY", prose: true as const, cell: (row: readonly string[]) => row[2] ?? "" },
  ];

  test("aligns, counts wide letters twice, and leaves out empty columns", () => {
    expect(
      table(columns, [
        ["世界", "7", ""],
        ["a", "10", ""],
      ]),
    ).toEqual(["NAME   N", "世界   7", "a     10"]);
  });
  test("cannot be broken by what a task is called", () => {
    expect(table(columns, [["a\x1b[2J\nb", "1", "x\ty"]])[1]).toBe("a b   1  x y");
  });
  test("of nothing is its head", () => expect(table(columns, [])).toEqual(["NAME  N  WHY"]));
});

describe("amounts", () => {
  test("say their unit once", () => {
    expect(share(1.5 * 2 ** 30, 62.7 * 2 ** 30)).toBe("1.5/62.7GiB");
    expect(share(0, 2 ** 30)).toBe("0/1GiB");
    expect(share(2 ** 30, 200 * 2 ** 30)).toBe("1/200GiB");
  });
  test("of time are in thousandths below a second", () =>
    expect([0, 340, 1_000, 61_000].map(lasted)).toEqual(["0s", "340ms", "1s", "1m1s"]));
  test("of cores are short", () => expect([100, 1000, 1500, 16_000].map(cores)).toEqual(["0.1", "1", "1.5", "16"]));
});

test("all elements that have not succeeded are named by how they ended, within some lines", () => {
  const ended = (slot: number, exit_code: number | null, signal: string | null = null) =>
    elementView.parse({ slot, state: "failed", exit_code, signal, cause: null, attempts: null });
  const few = [0, 3, 6, 9, 10, 11, 12].map((slot) => ended(slot, 3));
  const asked = { count: 8, all: "orch show 7 --json", width: 80 };
  expect(sayEnded(endedAlike([...few, ended(14, null, "KILL")], "0-99%8"), asked)).toBe(
    "exit 3: 0,3,6,9-12\nkilled by KILL: 14",
  );
  expect(
    endedAlike(
      [100, 102, 106].map((slot) => ended(slot, 1)),
      "100-199:2",
    ),
  ).toEqual([{ state: "failed", exit_code: 1, signal: null, cause: null, count: 3, elements: "100-102:2,106" }]);
  const many = Array.from({ length: 1_000 }, (_, at) => ended(3 * at, 1));
  const lines = sayEnded(endedAlike(many, "0-2999"), { ...asked, count: 1_200 }).split("\n");
  expect(lines).toHaveLength(13);
  expect(lines.every((line) => line.length <= 78)).toBe(true);
  expect(lines[0]).toStartWith("exit 1 (1000): 0,3,6,");
  expect(lines.at(-2)).toEndWith(",…");
  expect(lines.at(-1)).toBe("and 200 more; all: orch show 7 --json");
});

test("each way in which elements have ended has a line and its count, however many there are", () => {
  const views = Array.from({ length: 3_000 }, (_, slot) =>
    elementView.parse({ slot, state: "failed", exit_code: 1 + (slot % 10), signal: null, cause: null, attempts: 1 }),
  ).slice(5);
  const asked = { count: views.length, all: "orch show 7 --json", width: 80 };
  const lines = sayEnded(endedAlike(views, "0-2999"), asked).split("\n");
  expect(lines.map((line) => line.replace(/:.*/s, ""))).toEqual([
    ...[6, 7, 8, 9, 10].map((code) => `exit ${code} (300)`),
    ...[1, 2, 3, 4, 5].map((code) => `exit ${code} (299)`),
    "all of them",
  ]);
  expect(lines.every((line) => line.length <= 78)).toBe(true);
});
