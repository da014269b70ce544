// Tasks start from a known state, whoever started the agent and however: an agent that was started with odd priorities,
// limits, masks and variables gives its tasks the same state as a plain one. Priorities can only be raised by root.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Cluster } from "../support/cluster";
import { BINARY, Program } from "../support/program";

const isRoot = process.getuid?.() === 0;
const TOOLS = ["nice", "ionice", "chrt", "taskset", "prlimit", "setarch", "setsid"];
const missing = TOOLS.filter((tool) => Bun.which(tool) === null);
const why = !isRoot ? "not root" : missing.length > 0 ? `no ${missing.join(", ")}` : null;
if (why !== null) console.log(`skipped, the known state of tasks: ${why}`);

/** Prints everything that a process inherits. Its own names and numbers are left out. */
const SHOW = [
  "cat /proc/self/limits",
  "grep -E '^(Umask|Sig|Shd|Cpus_allowed|Groups|NoNewPrivs|Cap|Uid|Gid|THP)' /proc/self/status | grep -v SigQ",
  "cat /proc/self/oom_score_adj /proc/self/personality /proc/self/timerslack_ns",
  // Priority, nice value, session leadership, terminal, real-time priority and policy.
  "sed 's/.*) //' /proc/self/stat | cut -d' ' -f5,16,17,38,39",
  "ionice -p $$",
  "ls /proc/self/fd",
  "env | grep -v ^ORCH_ | sort",
  "[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo leads its session",
].join("; ");

/** Without the privilege to raise hard limits, root in a container gives what it was given itself. */
const raises = (await Bun.file("/proc/self/status").text()).match(/^CapEff:\s*(\w+)/m);
const canRaise = raises !== null && ((BigInt(`0x${raises[1]}`) >> 24n) & 1n) === 1n;
if (!canRaise) console.log("hard limits are left alone: this account may not raise them");

function limits(stack: string, nofile: string, nproc: string): string[] {
  const [soft, more] = canRaise
    ? [(value: string) => value, ["--memlock=65536", "--fsize=1099511627776"]]
    : [(value: string) => `${value}:`, ["--memlock=65536:", "--fsize=1099511627776:"]];
  return [`--stack=${soft(stack)}`, `--nofile=${soft(nofile)}`, `--nproc=${soft(nproc)}`, ...more];
}

const ODD_VARIABLES = {
  LC_ALL: "tr_TR.UTF-8",
  LANG: "tr_TR.UTF-8",
  HTTP_PROXY: "http://127.0.0.1:9",
  NO_PROXY: "*",
  NODE_OPTIONS: "--no-warnings",
  BUN_CONFIG_VERBOSE_FETCH: "0",
  LD_LIBRARY_PATH: "/nowhere",
  TMPDIR: "/nowhere",
};
const ODD_SHELL =
  'umask 077; trap "" INT HUP TERM USR1; echo 700 >/proc/self/oom_score_adj; exec "$0" "$@" 9</dev/null';
const ODD = [
  "nice -n 5 ionice -c 3 taskset -c 0 setarch -R prlimit --core=unlimited".split(" "),
  limits("4194304", "512", "20000"),
  ["env", ...Object.entries(ODD_VARIABLES).map(([name, value]) => `${name}=${value}`)],
  ["sh", "-c", ODD_SHELL, BINARY],
].flat();

describe.if(why === null)("the state that a task begins with", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ name: "known-state" });
    await cluster.startAgent("plain", "--pool", "plain");
    const token = await cluster.joinToken();
    const args = ["agent", "join", cluster.url, "--token", token, "--name", "odd", "--data", cluster.dataOf("odd")];
    const more = ["--capacity", "cpu=1,memory=1GiB", "--pool", "odd"];
    await cluster.program("odd", [...args, ...more], ODD).line(/joined as odd/);
    await cluster.ready();
  }, 30_000);
  afterAll(async () => {
    expect(await cluster.close()).toEqual([]);
  });

  async function shown(...flags: string[]): Promise<string> {
    const little = ["--cpu", "100m", "--memory", "64MiB", "--workdir", "/"];
    const { code, out, err } = await cluster.orch("run", ...little, ...flags);
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    return out;
  }

  test("has the limits that a workload asks for, before and behind the switch of accounts", async () => {
    const asked = ["--limit", "nofile=4096", "--limit", "core=0", "--limit", "stack=1MiB", "--limit", "memlock=1MiB"];
    const out = await shown(
      ...asked,
      "--pool",
      "odd",
      "-c",
      "ulimit -Hn; ulimit -Sn; ulimit -Hs; ulimit -Hl; ulimit -Hc",
    );
    expect(out.trim().split("\n")).toEqual(["4096", "4096", "1024", "1024", "0"]);
  });

  test("is refused by the flag's name where a limit has no sense", async () => {
    const { code, err } = await cluster.orch("run", "--limit", "nofile=3", "true");
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining("--limit") as string });
  });

  test.if(!canRaise)("cannot have what its node may not give: it waits, and says so", async () => {
    const flags = ["--limit", "memlock=unlimited", "--pool", "plain", "--workdir", "/"];
    const args = ["run", ...flags, "true"];
    const run = Program.start("run", args, join(cluster.dir, "run.log"), cluster.env);
    await run.line(
      /run \d+ waits: 0 of 2 nodes fit: .*1 could not start it: its agent may not give more than .* memlock/,
    );
    expect(await run.kill("SIGINT")).toBe(130);
  });

  test("is the same under an agent that was started oddly", async () => {
    const [plain, odd] = [await shown("--pool", "plain", "-c", SHOW), await shown("--pool", "odd", "-c", SHOW)];
    expect(odd).toBe(plain);
    if (canRaise) {
      expect(plain).toMatch(/Max open files +65536 +1048576/);
      expect(plain).toMatch(/Max locked memory +unlimited +unlimited/);
    }
    expect(plain).toMatch(/Max core file size +0 +unlimited/);
    expect(plain).toMatch(/Max stack size +8388608 +unlimited/);
    expect(plain).toContain("Umask:\t0022");
    expect(plain).toContain("SigIgn:\t0000000000000000");
    expect(plain).toContain("leads its session");
    expect(plain).not.toMatch(/_PROXY|NODE_OPTIONS|BUN_|LD_|nowhere/);
  });
});
