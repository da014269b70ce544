// What people see on a terminal: the question at Ctrl-C, where a run is, the end of a wait, lists that are redrawn.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Cluster } from "../support/cluster";
import { BINARY, runOrch } from "../support/program";
import { CTRL_C, CTRL_D, onTerminal, type OnTerminal } from "../support/terminal";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "terminal", agents: ["box1", "box2"] });
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

const LITTLE = ["--cpu", "20m", "--memory", "16MiB"];
const TICKS = "n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done";
const ticksIn = (text: string): number[] => [...text.matchAll(/tick (\d+)/g)].map(([, n]) => Number(n));

describe("the question at Ctrl-C", () => {
  test("stands alone while it is asked, is asked again, and costs no output", async () => {
    const { child, shown, type } = onTerminal(["run", ...LITTLE, "--name", "ticks", "-c", TICKS], cluster.env);
    await waitUntil("output", () => shown().includes("tick 3"));
    type(CTRL_C);
    await waitUntil("the question", () => shown().endsWith("Enter to go on? "));
    const asked = ticksIn(shown()).at(-1) ?? 0;
    await waitUntil("more output", async () => (ticksIn(await cluster.ok("logs", "ticks")).at(-1) ?? 0) > asked + 20);
    expect(shown()).toEndWith("[c]ancel it (as Ctrl-C does), [d]etach, or Enter to go on? ");
    type("what\r");
    await waitUntil("the question again", () => /c, d or Enter\. run \d+: .*go on\? $/.test(shown()));
    type("\r");
    await waitUntil("the output to go on", () => ticksIn(shown()).length > asked + 20);
    const ticks = ticksIn(shown());
    expect(ticks).toEqual(ticks.map((_, n) => n + 1));
    type(CTRL_C);
    await waitUntil("the question", () => shown().endsWith("Enter to go on? "));
    type("d\r");
    expect(await child.exited).toBe(0);
    expect(shown()).toMatch(/orch: run (\d+) goes on; see: orch logs -f \1\r\n$/);
    await cluster.ok("cancel", "ticks");
  });

  test("is answered with c or a second Ctrl-C: the run is cancelled", async () => {
    for (const [n, answer] of ["c\r", CTRL_C].entries()) {
      const { child, shown, type } = onTerminal(["run", ...LITTLE, "--name", `gone${n}`, "-c", TICKS], cluster.env);
      await waitUntil("output", () => shown().includes("tick 1"));
      type(CTRL_C);
      await waitUntil("the question", () => shown().endsWith("Enter to go on? "));
      type(answer);
      expect(await child.exited).toBe(130);
      expect(shown()).toMatch(/\norch: cancelling run \d+\r\n(.*\r\n)*orch: run \d+ cancelled\r\n$/);
    }
  });
});

test("the progress of an array waits for the answer to the question at Ctrl-C", async () => {
  const range = ["--array", "0-59%2", "--name", "progress", "--", "sleep", "0.1"];
  const { child, shown, type } = onTerminal(["run", ...LITTLE, ...range], cluster.env);
  await waitUntil("the first tenth", () => /many|\/60 done/.test(shown()));
  type(CTRL_C);
  await waitUntil("the question", () => shown().endsWith("Enter to go on? "));
  const over = async (): Promise<number> => {
    const { array } = await cluster.client().runInfo("progress");
    return (array?.succeeded ?? 0) + (array?.failed ?? 0);
  };
  const before = await over();
  await waitUntil("further tenths", async () => (await over()) >= Math.min(before + 14, 59));
  expect(shown()).toEndWith("Enter to go on? ");
  type("\r");
  expect(await child.exited).toBe(0);
  expect(shown()).toMatch(/Enter to go on\? \r?\n(orch: run \d+: \d+\/60 done\r\n)+/);
});

describe("Ctrl-C while something is waited for", () => {
  const left = async (argv: readonly string[], first: RegExp): Promise<string> => {
    const { child, shown, type } = onTerminal(argv, cluster.env);
    await waitUntil("its first word", () => first.test(shown()));
    type(CTRL_C);
    expect(await child.exited).toBe(130);
    return shown();
  };
  test("says that it goes on, and how to look again", async () => {
    const file = join(cluster.dir, "slow.yaml");
    await Bun.write(file, `app: slow\njobs: { one: { run: sleep 1000, resources: { cpu: 20m, memory: 16MiB } } }\n`);
    const applied = await left(["apply", "--yes", "--wait", file], /slow\.one\): running/);
    expect(applied).toEndWith("orch: what slow has to do goes on; see: orch ps slow, or the same command again\r\n");
    const [task] = await cluster.tasks("slow");
    const node = task?.node ?? "";
    const drained = await left(["node", "drain", "--wait", node], new RegExp(`${node}: draining`));
    expect(drained).toEndWith(
      `orch: the drain goes on; see: orch node drain ${node} --wait; to end it: orch node resume ${node}\r\n`,
    );
    await cluster.ok("node", "resume", node);
    await cluster.ok("rm", "slow", "--yes");
  });
});

describe("the end of an attached run", () => {
  const asked = async (name: string, script: string): Promise<OnTerminal> => {
    const terminal = onTerminal(["run", ...LITTLE, "--name", name, "-c", script], cluster.env);
    await waitUntil("output", () => terminal.shown().includes("tick 1"));
    terminal.type(CTRL_C);
    await waitUntil("the question", () => terminal.shown().endsWith("Enter to go on? "));
    return terminal;
  };

  test("comes after a second Ctrl-C, also if output waits for the answer", async () => {
    const { child, shown, type } = await asked("held", TICKS);
    const told = ticksIn(shown()).at(-1) ?? 0;
    await waitUntil("more output", async () => (ticksIn(await cluster.ok("logs", "held")).at(-1) ?? 0) > told + 10);
    type(CTRL_C);
    expect(await child.exited).toBe(130);
    expect(shown()).toMatch(/orch: run \d+ cancelled\r\n$/);
  });

  test("a third Ctrl-C leaves at once, whatever the run does", async () => {
    const { child, shown, type } = await asked("stubborn", `trap '' TERM; ${TICKS}`);
    type(CTRL_C);
    await waitUntil("the cancelling", () => shown().includes("cancelling run"));
    type(CTRL_C);
    expect(await child.exited).toBe(130);
    // The server may have answered by then, or not.
    expect(shown()).toMatch(
      /orch: (run \d+ is being cancelled|no server has answered yet, so run \d+ may go on); see: /,
    );
  });

  test("Ctrl-D at the question leaves the run alone", async () => {
    const { child, shown, type } = await asked("left", TICKS);
    type(CTRL_D);
    expect(await child.exited).toBe(0);
    expect(shown()).toMatch(/orch: run (\d+) goes on; see: orch logs -f \1\r\n$/);
    await cluster.ok("cancel", "left");
  });
});

describe("orch run", () => {
  test("says where it runs, on a terminal alone", async () => {
    const argv = ["run", ...LITTLE, "--host", "box2", "--", "echo", "out"];
    const { child, shown } = onTerminal(argv, cluster.env);
    expect(await child.exited).toBe(0);
    await waitUntil("its output", () => shown().includes("out\r\n"));
    expect(shown()).toMatch(/orch: run \S+ runs on box2\r\nout\r\n$/);
    expect(await runOrch(argv, cluster.env)).toEqual({ code: 0, out: "out\n", err: "" });
  });

  test("says why it waits, and where it runs once it does", async () => {
    const most = ["--host", "box1", "--cpu", "3", "--memory", "16MiB"];
    await cluster.ok("run", "-d", ...most, "--name", "first", "--", "sleep", "1000");
    const { child, shown } = onTerminal(["run", ...most, "--name", "second", "--", "echo", "out"], cluster.env);
    await waitUntil("the wait", () => /waits: 0 of 2 nodes fit/.test(shown()));
    await cluster.ok("cancel", "first");
    expect(await child.exited).toBe(0);
    await waitUntil("its output", () => shown().includes("out\r\n"));
    expect(shown()).toMatch(/waits: .*\r\n(.*\r\n)*orch: run \d+ runs on box1\r\nout\r\n$/);
  });
});

test("orch up says at Ctrl-C what ended and what goes on", async () => {
  const env = { ...cluster.env, ORCH_DATA: cluster.dataOf("up") };
  const argv = ["up", "--listen", "127.0.0.1:0", "--name", "solo", "--capacity", "cpu=1,memory=1GiB"];
  const { child, shown, type } = onTerminal(argv, env);
  await waitUntil("the agent", () => shown().includes("joined as solo"), 20_000);
  type(CTRL_C);
  expect(await child.exited).toBe(0);
  expect(shown()).toEndWith(
    "ended: the server and this machine's agent. Its tasks go on, and orch up takes them on again\r\n",
  );
}, 30_000);

test("Ctrl-C at the prompt of orch login ends it as an interrupt, and nothing is said", async () => {
  const { child, shown, type } = onTerminal(["login", cluster.url], cluster.env);
  await waitUntil("the prompt", () => shown().endsWith(": "));
  type(CTRL_C);
  expect(await child.exited).toBe(130);
  expect(shown()).toBe(`token for ${cluster.url}: \r\n`);
});

test("a drain that waits says what is the same once", async () => {
  const spec = "app: kept\nservices:\n  s: { run: exec sleep 1000, replicas: 4, place: { hosts: [box2] }";
  await cluster.apply(`${spec}, resources: { cpu: 20m, memory: 8MiB } }\n`);
  await cluster.until("all to run", (all) => all.filter(({ app }) => app === "kept").length === 4);
  const { child, shown, type } = onTerminal(["node", "drain", "box2", "-w"], cluster.env, { cols: 80 });
  await waitUntil("what it waits for", () => shown().includes("stays for want of another place: 0 of 2 nodes fit"));
  type(CTRL_C);
  expect(await child.exited).toBe(130);
  expect(shown()).toContain("kept.s.0 … 3: stays for want");
  await cluster.ok("node", "resume", "box2");
  await cluster.ok("rm", "kept", "--yes");
});

test("who is not logged in is told how, and that nothing was sent", async () => {
  const env = { ...cluster.env, HOME: join(cluster.dir, "stranger"), ORCH_DATA: join(cluster.dir, "nothing") };
  const { code, err } = await runOrch(["ps", "--url", cluster.url], env);
  expect(code).toBe(4);
  expect(err).toBe(
    `orch: not logged in to ${cluster.url}. Log in with: orch login ${cluster.url} (or set ORCH_TOKEN). ` +
      "Its admin makes the token with: orch user add NAME\n",
  );
});

describe("orch ps -w", () => {
  const frames = (shown: string): string[] => shown.split("\x1b[H\x1b[J").slice(1);

  test("is redrawn in place, fits the screen, and leaves a clean terminal at Ctrl-C", async () => {
    const one = "{ run: exec sleep 1000, resources: { cpu: 20m, memory: 8MiB } }";
    const spec = (count: number): string =>
      `app: many\nservices:\n${Array.from({ length: count }, (_, n) => `  s${n}: ${one}\n`).join("")}`;
    await cluster.apply(spec(12));
    await cluster.until("all to run", (all) => all.filter(({ app }) => app === "many").length === 12);
    const { child, shown, type } = onTerminal(["ps", "many", "-w"], cluster.env, { cols: 80, rows: 10 });
    await waitUntil("a frame", () => frames(shown()).length > 0);
    await cluster.apply(spec(2));
    await waitUntil(
      "a frame with two",
      () =>
        (
          frames(shown())
            .at(-1)
            ?.match(/^many\./gm) ?? []
        ).length === 2,
    );
    type(CTRL_C);
    expect(await child.exited).toBe(130);
    const drawn = frames(shown());
    expect(drawn[0]).toMatch(/^NAME .*\r\n(many\.s\d+\.0 .*\r\n){7}… and 5 more\r\n$/);
    for (const frame of drawn.slice(0, -1))
      for (const line of frame.split("\r\n")) expect(line.length).toBeLessThan(81);
    // The cursor is below the list, and is shown. No other screen is left on.
    expect(shown()).toMatch(/\r\n(\^C)?$/);
    expect(shown().replaceAll("\x1b[H\x1b[J", "")).not.toContain("\x1b");
  });

  test("into a file or pipe prints what changes, each once", async () => {
    const following = Bun.spawn([BINARY, "ps", "many", "-w"], {
      env: cluster.env,
      stdout: "pipe",
      stderr: "ignore",
    });
    const decoder = new TextDecoder();
    let text = "";
    const read = (async () => {
      for await (const bytes of following.stdout) text += decoder.decode(bytes);
    })();
    await waitUntil("the list", () => /^many\.s1\.0 /m.test(text));
    await cluster.ok("scale", "many.s1=2");
    await waitUntil("the next one", () => /^many\.s1\.1 .* running /m.test(text));
    following.kill("SIGINT");
    expect(await following.exited).toBe(130);
    await read;
    expect(text.match(/^NAME /gm)).toHaveLength(1);
    expect(text.match(/^many\.s0\.0 /gm)).toHaveLength(1);
    expect(text).not.toContain("\x1b");
  });
});
