// The machines of a campaign: a server and agents of the compiled binary, each agent with a network namespace, a file
// system and a wall clock of its own, so that each can be cut off, frozen or set wrong without the others.

import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { statOf } from "../../src/os/proc";
import { Cluster } from "../../test/support/cluster";
import { isAlive, processesOf } from "../../test/support/processes";
import { BINARY } from "../../test/support/program";
import { waitUntil } from "../../test/support/wait";

const SERVER_ADDRESS = "10.77.0.1";
const DISK_MIB = 256;
const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/** Limits with which a node is lost within seconds, and the shortest lease that they allow. */
const SETTINGS = ["unreachable_after=4s", "replace_after=8s", "requeue_after=8s", "settle=300ms", "port_rest=1s"];

export interface Host {
  readonly name: string;
  readonly disk: string;
  /** The file whose text moves the wall clock of this host's agent, as `+2h`; null where no library can do that. */
  readonly clock: string | null;
  readonly link: string;
  /** The process that keeps the network namespace. */
  readonly anchor: Bun.Subprocess;
}

/** Runs a program of the system that must succeed. Returns its output. */
export function system(...argv: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], { stdin: "ignore" });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: exit ${exitCode}: ${stderr.toString().trim()}`);
  return stdout.toString();
}

/** Why a campaign cannot run here, or null. */
export function missing(): string | null {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "namespaces, mounts and fsfreeze need root";
  const absent = ["ip", "unshare", "nsenter", "fsfreeze", "mkfs.ext4", "losetup"].filter((name) => !Bun.which(name));
  if (absent.length > 0) return `not installed: ${absent.join(", ")}`;
  if (!existsSync("/dev/loop-control")) return "this kernel has no loop devices";
  return null;
}

export class Field {
  readonly hosts: Host[] = [];

  private constructor(readonly cluster: Cluster) {}

  /** Starts a server and `count` agents. The caller's own network namespace must be a fresh one: see campaign.ts. */
  static async start(count: number): Promise<Field> {
    system("ip", "link", "set", "lo", "up");
    system("ip", "link", "add", "name", "orchbr", "type", "bridge");
    system("ip", "address", "add", `${SERVER_ADDRESS}/24`, "dev", "orchbr");
    system("ip", "link", "set", "orchbr", "up");
    const cluster = await Cluster.start({ name: "campaign", listen: `${SERVER_ADDRESS}:0`, settings: SETTINGS });
    const field = new Field(cluster);
    try {
      for (let n = 1; n <= count; n++) field.hosts.push(await field.#build(n));
      for (const host of field.hosts) await field.startAgent(host);
      await cluster.ready();
      return field;
    } catch (error) {
      await field.close();
      throw error;
    }
  }

  async #build(n: number): Promise<Host> {
    const { cluster } = this;
    const name = `n${n}`;
    const link = `orch${n}`;
    const anchor = Bun.spawn(["unshare", "--net", "sleep", "infinity"], { stdin: "ignore" });
    const inside = ["nsenter", `--net=/proc/${anchor.pid}/ns/net`];
    const own = readlinkSync("/proc/self/ns/net");
    await waitUntil(`${name}'s network namespace`, () => readlinkSync(`/proc/${anchor.pid}/ns/net`) !== own);
    system("ip", "link", "add", "name", link, "type", "veth", "peer", "name", "eth0", "netns", `${anchor.pid}`);
    system("ip", "link", "set", link, "master", "orchbr", "up");
    system(...inside, "ip", "link", "set", "lo", "up");
    system(...inside, "ip", "address", "add", `10.77.0.${10 + n}/24`, "dev", "eth0");
    system(...inside, "ip", "link", "set", "eth0", "up");
    const disk = cluster.dataOf(name);
    const image = join(cluster.dir, `${name}.img`);
    mkdirSync(disk, { recursive: true, mode: 0o700 });
    system("truncate", "-s", `${DISK_MIB}M`, image);
    system("mkfs.ext4", "-q", image);
    system("mount", "-o", "loop", image, disk);
    system("chmod", "700", disk);
    const clock = existsSync(FAKETIME) ? join(cluster.dir, `${name}.clock`) : null;
    if (clock !== null) writeFileSync(clock, "+0s");
    return { name, disk, clock, link, anchor };
  }

  /** Starts an agent, or starts it again after its death. Waits until it has joined unless `wait` is false. */
  async startAgent(host: Host, wait = true): Promise<void> {
    const { cluster } = this;
    const known = cluster.agents.has(host.name);
    const token = known ? [] : ["--token", await cluster.joinToken(), "--name", host.name];
    const shares = ["--data", host.disk, "--capacity", "cpu=4,memory=4GiB"];
    const args = ["agent", "join", cluster.url, ...token, ...shares];
    const clock =
      host.clock === null
        ? []
        : [
            "env",
            `LD_PRELOAD=${FAKETIME}`,
            `FAKETIME_TIMESTAMP_FILE=${host.clock}`,
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
          ];
    const command = ["nsenter", `--net=/proc/${host.anchor.pid}/ns/net`, ...clock, BINARY];
    const agent = cluster.program(host.name, args, command);
    if (wait) await agent.line(/joined as /, 60_000);
  }

  async startServer(): Promise<void> {
    await this.cluster.startServer();
  }

  /** The process that supervises a host's tasks, or null. */
  keeperOf(host: Host): number | null {
    const found = processesOf(host.disk).filter(({ command }) => /\borch\b.*\bkeeper\b/.test(command));
    // What it has just forked has its command until it executes another.
    const pids = new Set(found.map(({ pid }) => pid));
    return found.find(({ pid }) => !pids.has(statOf(pid)?.parent ?? 0))?.pid ?? null;
  }

  cut(host: Host): void {
    system("ip", "link", "set", host.link, "down");
  }

  join(host: Host): void {
    system("ip", "link", "set", host.link, "up");
  }

  freeze(host: Host): void {
    system("fsfreeze", "--freeze", host.disk);
  }

  thaw(host: Host): void {
    system("fsfreeze", "--unfreeze", host.disk);
  }

  /** Moves the wall clock of a host's agent to `offset` (`+2h`, `-90m`, `+0s`) from the real one. */
  setClock(host: Host, offset: string): void {
    if (host.clock !== null) writeFileSync(host.clock, offset);
  }

  /** Ends everything. Returns what could not be ended. */
  async close(): Promise<string[]> {
    for (const host of this.hosts) Bun.spawnSync(["fsfreeze", "--unfreeze", host.disk], { stderr: "ignore" });
    const pids = processesOf(this.cluster.dir);
    for (const { pid } of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    for (const host of this.hosts) {
      await waitUntil(`${host.name}'s disk to be let go`, () => {
        const { exitCode } = Bun.spawnSync(["umount", host.disk], { stderr: "ignore" });
        return exitCode === 0 || !readFileSync("/proc/self/mounts", "utf8").includes(` ${host.disk} `);
      });
      host.anchor.kill("SIGKILL");
      await host.anchor.exited;
    }
    return this.cluster.close();
  }
}
