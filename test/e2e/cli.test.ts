// The command line against the real binary, where a process is needed to see it: streams, signals, broken pipes,
// logging in, TLS, and what the working directory must not change.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunView } from "../../src/wire/api/runs";
import { Cluster } from "../support/cluster";
import { BINARY, Program, runOrch } from "../support/program";
import { onTerminal } from "../support/terminal";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
let dir: string;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "cli", agents: ["n1"] });
  dir = await mkdtemp(join(tmpdir(), "orch-cli-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true });
  expect(await cluster.close()).toEqual([]);
});

const CPU = ["--cpu", "20m"];
const LITTLE = [...CPU, "--memory", "16MiB"];
const runOf = async (name: string): Promise<RunView> =>
  waitUntil(`the run ${name}`, async () =>
    (await cluster.json<{ runs: RunView[] }>("runs")).runs.find((run) => run.name === name),
  );

/** An attached run as a process of its own. */
const attachedWith = (name: string, script: string, asked: readonly string[]): Program =>
  Program.start(name, ["run", ...asked, "--name", name, "-c", script], join(dir, `${name}.log`), cluster.env);
const attached = (name: string, script: string, ...more: string[]): Program =>
  attachedWith(name, script, [...LITTLE, ...more]);

describe("orch run in the foreground", () => {
  test("shows output as it is written, not at the end", async () => {
    const run = attached("streams", `echo first; until [ -e ${dir}/go ]; do sleep 0.05; done; echo second`);
    await run.line(/first/);
    expect(run.running).toBe(true);
    await Bun.write(join(dir, "go"), "");
    expect(await run.exited).toBe(0);
    expect(run.output()).toContain("second");
  });

  test("without a terminal cancels the job on Ctrl-C and ends with 130", async () => {
    const run = attached("interrupted", "echo up; exec sleep 1000");
    await run.line(/up/);
    expect(await run.kill("SIGINT")).toBe(130);
    expect((await runOf("interrupted")).state).toBe("cancelled");
  });

  test("says at once why it waits, and once", async () => {
    const hog = attachedWith("hog", "echo up; exec sleep 1000", [...CPU, "--memory", "3GiB"]);
    await hog.line(/up/);
    const run = attachedWith("patiently", "echo never", [...CPU, "--memory", "3GiB"]);
    await run.line(/waits: 0 of 1 node fits/);
    expect(await run.kill("SIGINT")).toBe(130);
    expect(run.output().match(/ waits: /g)?.length).toBe(1);
    await cluster.ok("cancel", "hog");
    expect(await hog.exited).toBe(130);
    expect(hog.output()).toContain("cancelled by admin");
    const { code, err } = await cluster.orch("explain", String((await runOf("hog")).run));
    expect([code, err.includes("is over: cancelled: ")]).toEqual([1, true]);
  });

  test("leaves the job alone when it is killed itself", async () => {
    const run = attached("orphaned", `echo up; until [ -e ${dir}/end ]; do sleep 0.05; done`);
    await run.line(/up/);
    await run.kill("SIGKILL");
    expect((await runOf("orphaned")).state).toBe("running");
    await Bun.write(join(dir, "end"), "");
    await waitUntil("the job to succeed", async () => (await runOf("orphaned")).state === "succeeded");
  });

  test("goes on over a server that dies and comes back, and misses and doubles nothing", async () => {
    const wait = `until [ -e ${dir}/on ]; do sleep 0.05; done`;
    const run = attached("patient", `for i in 1 2 3; do echo line $i; done; ${wait}; echo line 4; exit 9`);
    await run.line(/line 3/);
    await cluster.server?.kill();
    await Bun.write(join(dir, "on"), "");
    await cluster.startServer();
    expect(await run.exited).toBe(9);
    expect(run.output().match(/^line \d$/gm)).toEqual(["line 1", "line 2", "line 3", "line 4"]);
  });

  test("with -d prints the number and nothing else", async () => {
    const { code, out, err } = await cluster.orch("run", ...LITTLE, "-d", "--", "true");
    expect(code).toBe(0);
    expect(err).toBe("");
    expect(out).toMatch(/^\d+\n$/);
    expect(await cluster.ok("logs", "-f", out.trim())).toBe("");
  });

  test("starts in the current directory, with the variables that were asked for and no others", async () => {
    const env = { ...cluster.env, WANTED: "from here", SECRET_KEY: "not sent" };
    const file = join(dir, "vars");
    await Bun.write(file, "# a comment\nA=1\nB=two words\n");
    const argv = [
      "run",
      ...LITTLE,
      "--env",
      "WANTED",
      "--env",
      "B=2",
      "--env-file",
      file,
      "-c",
      "pwd; echo $WANTED/$A/$B/$SECRET_KEY/",
    ];
    const child = Bun.spawn([BINARY, ...argv], { cwd: dir, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const out = await new Response(child.stdout).text();
    expect(out).toBe(`${dir}\nfrom here/1/2//\n`);
    expect(await child.exited).toBe(0);
  });

  test("passes bytes through a pipe unchanged, escape sequences and all", async () => {
    const { out } = await cluster.orch("run", ...LITTLE, "--", "printf", "\\033[31mred\\033]0;t\\007\\r\\n");
    expect(out).toBe("\x1b[31mred\x1b]0;t\x07\r\n");
  });
});

describe("on a terminal", () => {
  const env = (): Record<string, string> => {
    const { NO_COLOR: _, ...rest } = cluster.env;
    return { ...rest, TERM: "xterm-256color" };
  };
  const script = "printf '\\033[31mred\\033]0;owned\\007\\n'; exec sleep 1000";

  test("Ctrl-C asks; detaching leaves the job running; output keeps its colours and loses its tricks", async () => {
    const { child, shown, type } = onTerminal(["run", ...LITTLE, "--name", "detached", "-c", script], env());
    await waitUntil("the job's output", () => shown().includes("red"));
    expect(shown()).toContain("\x1b[31mred");
    expect(shown()).not.toContain("owned");
    type("\x03");
    await waitUntil("the question", () => shown().includes("[d]etach"));
    type("d\r");
    expect(await child.exited).toBe(0);
    const { run, state } = await runOf("detached");
    expect(state).toBe("running");
    await cluster.ok("cancel", String(run));
  });

  test("Ctrl-C and c cancel the job", async () => {
    const { child, shown, type } = onTerminal(["run", ...LITTLE, "--name", "asked", "-c", script], env());
    await waitUntil("the job's output", () => shown().includes("red"));
    type("\x03");
    await waitUntil("the question", () => shown().includes("[c]ancel"));
    type("c\r");
    expect(await child.exited).toBe(130);
    expect((await runOf("asked")).state).toBe("cancelled");
  });

  test("tables have colour, and not under NO_COLOR", async () => {
    const coloured = onTerminal(["nodes"], env());
    await coloured.child.exited;
    await waitUntil("the table", () => coloured.shown().includes("n1"));
    expect(coloured.shown()).toContain("\x1b[32mready");
    const plain = onTerminal(["nodes"], cluster.env);
    await plain.child.exited;
    await waitUntil("the table", () => plain.shown().includes("n1"));
    expect(plain.shown()).not.toContain("\x1b[");
  });

  test("apply asks, and only a yes is one", async () => {
    const file = join(dir, "asked.yaml");
    await Bun.write(file, "app: asked\njobs:\n  only: { run: 'true', resources: { cpu: 20m, memory: 16MiB } }\n");
    const no = onTerminal(["apply", "-f", file], env());
    await waitUntil("the question", () => no.shown().includes("Apply? [y/N]"));
    no.type("\r");
    expect(await no.child.exited).toBe(1);
    expect((await cluster.orch("spec", "asked")).code).toBe(1);
    const yes = onTerminal(["apply", "-f", file, "--wait"], env());
    await waitUntil("the question", () => yes.shown().includes("Apply? [y/N]"));
    yes.type("y\r");
    expect(await yes.child.exited).toBe(0);
    expect(await cluster.ok("spec", "asked")).toBe(await Bun.file(file).text());
  });
});

describe("orch up", () => {
  test("is server and node in one, stops at once, and knows itself when it starts again", async () => {
    const env = { ...cluster.env, ORCH_DATA: cluster.dataOf("up") };
    const argv = ["up", "--listen", "127.0.0.1:0", "--name", "solo", "--capacity", "cpu=1,memory=1GiB"];
    const first = cluster.program("up", argv);
    await first.line(/joined as solo/);
    await waitUntil("the node to be ready", async () => /solo +ready/.test((await runOrch(["nodes"], env)).out));
    expect((await runOrch(["run", ...LITTLE, "--", "echo", "hello"], env)).out).toBe("hello\n");
    expect(await first.kill("SIGTERM")).toBe(0);
    const again = cluster.program("up", argv);
    await again.line(/joined as solo/);
    expect((await runOrch(["nodes"], env)).out).toContain("solo");
    expect(again.output()).not.toContain("--token");
    expect(await again.kill("SIGTERM")).toBe(0);
  });
});

describe("the process", () => {
  test("ends quietly when its reader goes away", async () => {
    await cluster.ok("run", ...LITTLE, "--name", "long", "-c", "seq 200000");
    const { run } = await runOf("long");
    const piped = Bun.spawn(["sh", "-c", `'${BINARY}' logs ${run} | head -n 1`], {
      env: cluster.env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([new Response(piped.stdout).text(), new Response(piped.stderr).text()]);
    expect([out, err]).toEqual(["1\n", ""]);
  });

  test("writes all of a large answer before it ends", async () => {
    const { run } = await runOf("long");
    const { out } = await cluster.orch("logs", String(run));
    expect(out.length).toBe(1_288_895);
    expect(out).toEndWith("\n200000\n");
    // A reader that is busy at first finds the pipe full, and the program with nothing more to do.
    const busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; cat";
    const slow = Bun.spawn(["sh", "-c", `'${BINARY}' logs ${run} | { ${busy}; }`], {
      env: cluster.env,
      stdin: "ignore",
      stdout: "pipe",
    });
    expect(await new Response(slow.stdout).text()).toBe(out);
  });

  test("is not changed by files of the directory it is started in", async () => {
    const here = join(dir, "trap");
    await mkdir(here);
    await Bun.write(join(here, ".env"), "ORCH_URL=http://127.0.0.1:9\nORCH_TOKEN=x\n");
    await Bun.write(join(here, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    await Bun.write(join(here, "evil.ts"), 'console.log("loaded");\n');
    const child = Bun.spawn([BINARY, "nodes", "-q"], { cwd: here, env: cluster.env, stdin: "ignore", stdout: "pipe" });
    expect(await new Response(child.stdout).text()).toMatch(/^[0-9a-f]{32}\n$/);
  });

  test("tells its version without anything else", async () => {
    const { code, out } = await runOrch(["version", "--json"], {});
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ version: expect.any(String), commit: expect.any(String) });
  });
});

describe("logging in", () => {
  const away = (home: string): Record<string, string> => ({ PATH: cluster.env["PATH"] ?? "", HOME: join(dir, home) });

  test("with the line that `orch user add` prints makes one that person", async () => {
    const line = (await cluster.ok("user", "add", "alice")).trim();
    const shell = Bun.spawn(["sh", "-c", line.replace("orch login", `'${BINARY}' login`)], {
      env: away("alice"),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await new Response(shell.stdout).text()).toContain("as alice");
    expect(await shell.exited).toBe(0);
    const { out } = await runOrch(["nodes"], away("alice"));
    expect(out).toContain("n1");
    const refused = await runOrch(["user", "add", "bob"], away("alice"));
    expect(refused.code).toBe(4);
  });

  test("with half a token is refused, and nothing is kept", async () => {
    const { token } = await cluster.json<{ token: string }>("token", "new", "--role", "viewer");
    const { code, err } = await runOrch(["login", cluster.url], away("half"), token.slice(0, -3));
    expect(code).toBe(4);
    expect(err).toContain("whole token");
    expect(existsSync(join(dir, "half/.config/orch/current"))).toBe(false);
  });
});

describe("over TLS", () => {
  test("a server is believed by its key alone: the right token works, another server's does not", async () => {
    const data = join(dir, "tls");
    const env = { ...cluster.env, ORCH_DATA: data };
    const server = Program.start("tls", ["server", "--listen", "0.0.0.0:0"], join(dir, "tls.log"), env);
    try {
      const port = (await server.line(/listening on https:\/\/\S+:(\d+)/))[1] ?? "";
      const url = `https://127.0.0.1:${port}`;
      expect((await runOrch(["user", "ls", "-q"], env)).out).toBe("admin\n");
      const made = await runOrch(["token", "new", "--role", "viewer", "--json"], env);
      const { token } = JSON.parse(made.out) as { token: string };
      const from = (given: string): Record<string, string> => ({
        PATH: cluster.env["PATH"] ?? "",
        HOME: join(dir, "elsewhere"),
        ORCH_URL: url,
        ORCH_TOKEN: given,
      });
      expect((await runOrch(["nodes"], from(token))).code).toBe(0);

      const other = await cluster.json<{ token: string }>("token", "new", "--role", "viewer");
      const refused = await runOrch(["nodes"], from(other.token));
      expect(refused.code).toBe(3);
      expect(refused.err).toMatch(/^orch: .*key.*\n$/);
    } finally {
      expect(await server.kill("SIGTERM")).toBe(0);
    }
  });
});
