// Installing as services: files below a root of the test's, a systemctl that only notes what it was asked, units that
// the real systemd-analyze reads where there is one, and an agent that is started as its unit says.

import { formatToken } from "../../src/wire/token";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Cluster } from "../support/cluster";
import { BINARY, Program, requireBinary, runOrch, type Result } from "../support/program";
import { waitUntil } from "../support/wait";

const isRoot = process.getuid?.() === 0;
/** The most exposure that `systemd-analyze security` may count for the server's unit, of 10. */
const EXPOSURE_MOST = 1.5;
const TOKEN = formatToken({ pin: "ab".repeat(32), id: "0123456789", secret: "c0ffee".repeat(6) + "0000" });
let root: string;
let tools: string;
const inRoot = (path: string): string => join(root, path);
const read = (path: string): string => readFileSync(inRoot(path), "utf8");
/** The uid of the server's account in the image. */
const serverUid = (): number => Number(read("/etc/passwd").split(":")[2]);
const modeOf = (path: string): number => statSync(inRoot(path)).mode & 0o777;

const env = (more: Record<string, string> = {}): Record<string, string> => ({
  PATH: `${tools}:${process.env["PATH"] ?? "/usr/bin:/bin"}`,
  HOME: root,
  ORCH_INSTALL_ROOT: root,
  ...more,
});
const orch = (...args: string[]): Promise<Result> => runOrch(args, env());
/** What systemctl was asked since the last time. */
function asked(): string[] {
  const log = join(tools, "asked");
  const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  if (lines.length > 0) Bun.spawnSync(["rm", log]);
  return lines;
}

beforeAll(async () => {
  requireBinary();
  root = await mkdtemp(join(tmpdir(), "orch-install-"));
  tools = join(root, "tools");
  await mkdir(inRoot("run/systemd/system"), { recursive: true });
  await mkdir(tools);
  const script = `#!/bin/sh
[ -e "$0.fails" ] && { echo "Access denied" >&2; exit 4; }
echo "$@" >>${join(tools, "asked")}
`;
  await Bun.write(join(tools, "systemctl"), script);
  await chmod(join(tools, "systemctl"), 0o755);
  // The accounts of the image below the root, in which the server's is made.
  await mkdir(inRoot("etc"));
  for (const list of ["passwd", "group", "shadow", "gshadow"]) await Bun.write(inRoot(`etc/${list}`), "");
});
afterAll(async () => rm(root, { recursive: true, force: true }));

const SERVER = "/etc/systemd/system/orch-server.service";
const AGENT = "/etc/systemd/system/orch-agent.service";

describe.skipIf(!isRoot)("as root", () => {
  test("the server is copied, its unit written and started, and told how to undo it", async () => {
    const { code, out, err } = await orch(
      "install",
      "server",
      "--listen",
      "0.0.0.0:4400",
      "--set",
      "replace_after=10s",
    );
    expect([code, err]).toEqual([0, ""]);
    expect(asked()).toEqual(["daemon-reload", "enable --now orch-server.service"]);
    expect(read("/etc/passwd")).toMatch(/^orch:x:[1-9]\d\d:\d+::\/:\/usr\/sbin\/nologin\n$/);
    expect(read(SERVER)).toContain("\nUser=orch\n");
    expect(statSync(inRoot("/var/lib/orch/server")).uid).toBe(serverUid());
    expect(out).toContain("orch: made, an account of the system");
    expect(out).toContain("systemctl disable --now orch-server.service");
    expect(modeOf("/usr/local/bin/orch")).toBe(0o755);
    expect(Bun.spawnSync([inRoot("/usr/local/bin/orch"), "version"]).stdout.toString()).toMatch(/^orch /);
    expect(read(SERVER)).toContain(
      "ExecStart=/usr/local/bin/orch server --data /var/lib/orch --listen 0.0.0.0:4400 --set replace_after=10s\n",
    );
    expect([modeOf(SERVER), modeOf("/var/lib/orch/server")]).toEqual([0o644, 0o700]);
  });
  test("the agent's token is in a file of its own, and in no command line", async () => {
    const { code, out, err } = await orch(
      "install",
      "agent",
      "https://box1:4400",
      "--token",
      TOKEN,
      "--label",
      "zone=a$b",
      "--termination-notice",
      "test -e /no such",
    );
    expect([code, err]).toEqual([0, ""]);
    expect(asked()).toEqual(["daemon-reload", "enable --now orch-agent.service"]);
    expect(out).toContain("orch agent leave");
    expect(out).not.toContain(TOKEN);
    const unit = read(AGENT);
    expect(unit).not.toContain(TOKEN);
    expect(unit).toContain(
      "ExecStart=/usr/local/bin/orch agent join https://box1:4400 --data /var/lib/orch " +
        '--token-file /var/lib/orch/agent/join.token --label zone=a$$b --termination-notice "test -e /no such"\n',
    );
    expect(read("/var/lib/orch/agent/join.token")).toBe(`${TOKEN}\n`);
    expect(modeOf("/var/lib/orch/agent/join.token")).toBe(0o600);
  });
  test("said again it changes nothing; with another flag it starts the service again", async () => {
    const same = ["install", "server", "--listen", "0.0.0.0:4400", "--set", "replace_after=10s"];
    expect((await orch(...same)).out).toContain("orch-server.service: as it was");
    expect(asked()).toEqual(["daemon-reload", "enable --now orch-server.service"]);
    expect((await orch(...same, "--host", "box1.lab")).code).toBe(0);
    expect(asked()).toEqual(["daemon-reload", "enable --now orch-server.service", "restart orch-server.service"]);
    expect(read(SERVER)).toContain("--host box1.lab");
  });
  test("a unit of a plain account is that account's", async () => {
    const { code } = await orch("install", "server", "--user", "nobody", "--data", "/srv/orch");
    expect(code).toBe(0);
    expect(read(SERVER)).toContain("\nUser=nobody\n");
    expect(statSync(inRoot("/srv/orch/server")).uid).toBe(65_534);
    expect((await orch("install", "server", "--user", "no-such-account")).err).toContain("there is no account");
    asked();
  });
  test("a server that ran as root stops, and its files become its account's; no planted link is followed", async () => {
    const own = inRoot("/srv/old/server");
    await mkdir(join(own, "backups"), { recursive: true });
    await Bun.write(join(own, "orch.db"), "x");
    const outside = inRoot("/outside");
    await Bun.write(outside, "root's");
    symlinkSync(outside, join(own, "backups", "link"));
    expect((await orch("install", "server", "--data", "/srv/old")).code).toBe(0);
    expect(asked().at(0)).toBe("stop orch-server.service");
    expect(statSync(join(own, "orch.db")).uid).toBe(serverUid());
    expect(lstatSync(join(own, "backups", "link")).uid).toBe(serverUid());
    expect(statSync(outside).uid).toBe(0);
  });
  test("a link where a file is written is replaced, and what it points to stays", async () => {
    const victim = inRoot("/victim");
    await Bun.write(victim, "root's");
    chmodSync(victim, 0o640);
    await rm(inRoot(SERVER));
    symlinkSync(victim, inRoot(SERVER));
    expect((await orch("install", "server")).code).toBe(0);
    expect([read("/victim"), modeOf("/victim"), lstatSync(inRoot(SERVER)).isFile()]).toEqual(["root's", 0o640, true]);
    asked();
  });
  test("what systemctl refuses is told", async () => {
    await Bun.write(join(tools, "systemctl.fails"), "");
    const { code, err } = await orch("install", "server");
    expect([code, err]).toEqual([1, expect.stringContaining("systemctl daemon-reload: Access denied") as string]);
    await rm(join(tools, "systemctl.fails"));
  });
  test("systemd reads the units without a complaint", async () => {
    const analyze = Bun.which("systemd-analyze");
    if (analyze === null) return;
    for (const unit of [SERVER, AGENT]) {
      // The program lies below the test's root, which it must be told.
      const copy = join(tools, basename(unit));
      await Bun.write(copy, read(unit).replace("ExecStart=/", `ExecStart=${root}/`));
      const { exitCode, stderr } = Bun.spawnSync([analyze, "verify", "--man=no", copy]);
      const about = stderr
        .toString()
        .split("\n")
        .filter((line) => line.includes("orch-"));
      expect([about, exitCode]).toEqual([[], 0]);
    }
  });
});

describe.skipIf(Bun.which("systemd-analyze") === null)(
  "the exposure that systemd counts (needs systemd-analyze)",
  () => {
    const exposureOf = async (...args: string[]): Promise<number> => {
      const { out } = await orch("install", ...args, "--dry-run");
      const unit = join(tools, `orch-${args[0]}.service`);
      await Bun.write(unit, out.slice(out.indexOf("[Unit]"), out.lastIndexOf("\n# systemctl daemon-reload")));
      const told = Bun.spawnSync([
        "systemd-analyze",
        "security",
        "--offline=true",
        "--no-pager",
        unit,
      ]).stdout.toString();
      return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(told)?.[1]);
    };
    test("is small for the server", async () => {
      expect(await exposureOf("server", "--listen", "0.0.0.0:4400")).toBeLessThanOrEqual(EXPOSURE_MOST);
    });
    test("is nearly all for the agent, whose tasks would be in its sandbox", async () => {
      expect(await exposureOf("agent", "https://box1:4400", "--token", TOKEN)).toBeGreaterThan(9);
    });
  },
);

describe("nothing is written", () => {
  const AGENT_LINE = ["install", "agent", "https://box1:4400", "--token", TOKEN];

  test("by a dry run, which shows everything but the token", async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), "orch-dry-"));
    const { code, out } = await runOrch([...AGENT_LINE, "--dry-run"], { ...env(), ORCH_INSTALL_ROOT: elsewhere });
    expect(code).toBe(0);
    expect(out).toContain("# write the token to /var/lib/orch/agent/join.token (0600)");
    expect(out).toContain("KillMode=process");
    expect(out).toContain("# systemctl enable --now orch-agent.service");
    expect(out).not.toContain(TOKEN);
    await rm(elsewhere, { recursive: true });
  });
  test.skipIf(!isRoot)("by another account, nor where systemd does not run", async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), "orch-none-"));
    const without = await runOrch(AGENT_LINE, { ...env(), ORCH_INSTALL_ROOT: elsewhere });
    expect([without.code, without.err]).toEqual([1, expect.stringContaining("not run by systemd") as string]);
    const nobody = Bun.spawnSync(["setpriv", "--reuid=65534", "--clear-groups", BINARY, ...AGENT_LINE], {
      env: env({ ORCH_INSTALL_ROOT: elsewhere }),
    });
    expect([nobody.exitCode, nobody.stderr.toString()]).toEqual([
      4,
      expect.stringContaining("only root installs a service") as string,
    ]);
    expect(existsSync(join(elsewhere, "usr"))).toBe(false);
    await rm(elsewhere, { recursive: true });
  });
  test("without what a first start needs, or into a directory that systemd would split", async () => {
    expect((await orch("install", "agent", "https://box1:4400", "--data", "/srv/none")).code).toBe(2);
    const { code, err } = await orch("install", "server", "--data", "/srv/a b");
    expect([code, err]).toEqual([2, expect.stringContaining("is no directory for a service") as string]);
  });
});

/** The words of a unit's command line, as systemd unquotes them. */
function wordsOf(unit: string): string[] {
  const line = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? "";
  return [...line.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g)].map(([, quoted, plain]) =>
    (quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "").replaceAll("$$", "$").replaceAll("%%", "%"),
  );
}

test.skipIf(!isRoot)(
  "an agent that is started as its unit says joins, and uses its token up",
  async () => {
    const cluster = await Cluster.start({ name: "install" });
    const data = cluster.dataOf("n1");
    const flags = [
      "--name",
      "n1",
      "--label",
      "zone=ab$c%",
      "--termination-notice",
      "test -e /no/such",
      "--capacity",
      "cpu=2,memory=2GiB",
      "--data",
      data,
    ];
    const args = ["install", "agent", cluster.url, "--token", await cluster.joinToken(), ...flags];
    const { code, err } = await runOrch(args, env());
    expect([code, err]).toEqual([0, ""]);
    asked();
    // Below the test's root where it was written; the service would find it without.
    const [program = "", ...argv] = wordsOf(read(AGENT));
    const token_file = argv[argv.indexOf("--token-file") + 1] ?? "";
    await mkdir(join(data, "agent"), { recursive: true });
    await Bun.write(token_file, read(token_file));
    const agent = Program.startAs("n1", [inRoot(program), ...argv], join(cluster.dir, "n1.log"), cluster.env);
    cluster.agents.set("n1", agent);
    await agent.line(/joined as n1/);
    await waitUntil("the token to be gone", () => !existsSync(token_file));
    const [node] = await cluster.nodes();
    expect(node).toMatchObject({ name: "n1", labels: { zone: "ab$c%" }, capacity: { cpu_milli: 2_000 } });
    expect(await cluster.close()).toEqual([]);
  },
  60_000,
);
