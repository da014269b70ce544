// A whole cluster on this machine: the compiled server and agents as processes, each with its own data directory below
// a temporary one. `close` ends all of it and proves that nothing is left.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Client } from "../../src/wire/client";
import type { TaskView } from "../../src/wire/api/tasks";
import type { NodeView } from "../../src/wire/api/nodes";
import { runName, runRoot } from "../../src/agent/machine/rundir";
import { cgroupsOf, killAllOf, mountsOf, processesOf, removeGroups } from "./processes";
import { BINARY, Program, requireBinary, runOrch, type Result } from "./program";
import { waitUntil } from "./wait";

/** Limits with which a node is lost within seconds. */
export const QUICK = ["unreachable_after=2s", "replace_after=3s", "requeue_after=3s", "settle=300ms", "port_rest=1s"];

export interface ClusterOptions {
  /** The prefix of the temporary directory's name. */
  readonly name?: string;
  /** Each becomes `--set` of the server. */
  readonly settings?: readonly string[];
  /** Returns the text of the server's settings.yaml; `dir` is the cluster's directory. */
  readonly file?: (dir: string) => string;
  readonly agents?: readonly string[];
  readonly capacity?: string;
  /** Default: a free port of loopback. */
  readonly listen?: string;
  /** Further variables of every program, such as the path of a library of cards. */
  readonly env?: Readonly<Record<string, string>>;
}

export class Cluster {
  readonly agents = new Map<string, Program>();
  #starts = 0;
  #token: string | null = null;
  server: Program | null = null;
  url = "";
  /** The server's data directory. */
  data: string;

  private constructor(
    readonly dir: string,
    private readonly options: ClusterOptions,
  ) {
    this.data = join(dir, "server");
  }

  /** Starts a server and the named agents, and waits until all nodes are ready. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    requireBinary();
    const dir = await mkdtemp(join(tmpdir(), `orch-${options.name ?? "test"}-`));
    await mkdir(join(dir, "home"));
    const cluster = new Cluster(dir, options);
    if (options.file !== undefined) {
      await mkdir(join(cluster.data, "server"), { recursive: true, mode: 0o700 });
      await writeFile(join(cluster.data, "server", "settings.yaml"), options.file(dir));
    }
    try {
      await cluster.startServer();
      await Promise.all((options.agents ?? []).map(async (name) => cluster.startAgent(name)));
      await cluster.ready();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** A clean environment, so that none of the user's own settings reaches the programs. */
  get env(): Record<string, string> {
    return {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: join(this.dir, "home"),
      TMPDIR: this.dir,
      ORCH_DATA: this.data,
      NO_COLOR: "1",
      TZ: "UTC",
      LANG: "C.UTF-8",
      ...this.options.env,
    };
  }

  #log(name: string): string {
    return join(this.dir, `${name}.${++this.#starts}.log`);
  }

  /** Starts the server. After a kill it answers at the same address again. */
  async startServer(...more: string[]): Promise<Program> {
    const asked = this.options.listen ?? "127.0.0.1:0";
    const listen = this.url === "" ? asked : asked.replace(/:0$/, `:${new URL(this.url).port}`);
    const settings = (this.options.settings ?? []).flatMap((one) => ["--set", one]);
    const args = ["server", "--data", this.data, "--listen", listen, ...settings, ...more];
    this.server = Program.start("server", args, this.#log("server"), this.env);
    this.url = (await this.server.line(/listening on (https:\/\/\S+)/))[1] ?? "";
    return this.server;
  }

  dataOf(agent: string): string {
    return join(this.dir, "agents", agent);
  }

  async joinToken(): Promise<string> {
    this.#token ??= (await this.json<{ token: string }>("token", "new", "--role", "agent", "--uses", "10000")).token;
    return this.#token;
  }

  /** Starts an agent. An agent that is started again needs no token, since its data directory knows the cluster. */
  async startAgent(name: string, ...more: string[]): Promise<Program> {
    return this.startAgentAs(name, [BINARY], ...more);
  }

  /** Starts an agent behind other programs, such as one that makes a container. `command` ends with the binary. */
  async startAgentAs(name: string, command: readonly string[], ...more: string[]): Promise<Program> {
    const known = this.agents.has(name);
    const token = known ? [] : ["--token", await this.joinToken(), "--name", name];
    const args = [
      "agent",
      "join",
      this.url,
      ...token,
      "--data",
      this.dataOf(name),
      ...(more.includes("--capacity") ? [] : ["--capacity", this.options.capacity ?? "cpu=4,memory=4GiB"]),
      ...more,
    ];
    const agent = this.program(name, args, command);
    await agent.line(/joined as /);
    return agent;
  }

  /** Starts an agent with other arguments, and waits for nothing. `command` is started instead of the binary. */
  program(name: string, args: readonly string[], command: readonly string[] = [BINARY]): Program {
    const env = { ...this.env, ORCH_DATA: this.dataOf(name) };
    const agent = Program.startAs(name, [...command, ...args], this.#log(name), env);
    this.agents.set(name, agent);
    return agent;
  }

  agent(name: string): Program {
    const agent = this.agents.get(name);
    if (agent === undefined) throw new Error(`no agent ${name} was started`);
    return agent;
  }

  /** Kills the agent, its keeper and its tasks with SIGKILL, as a power cut would. Returns how many processes died. */
  async killMachine(name: string): Promise<number> {
    return killAllOf(this.dataOf(name));
  }

  async orch(...args: string[]): Promise<Result> {
    return runOrch(args, this.env);
  }

  /** Runs a command that must succeed. Returns its output. */
  async ok(...args: string[]): Promise<string> {
    const { code, out, err } = await this.orch(...args);
    if (code !== 0) throw new Error(`orch ${args.join(" ")}: exit ${code}\n${out}${err}`);
    return out;
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.ok(...args, "--json")) as T;
  }

  async apply(text: string, ...more: string[]): Promise<Result> {
    return runOrch(["apply", "-f", "-", "--yes", ...more], this.env, text);
  }

  /** Returns the typed client as the admin, for what must be faster than a command. */
  client(): Client {
    const token = readFileSync(join(this.data, "server", "admin.token"), "utf8").trim();
    return connect({ url: this.url, token });
  }

  async tasks(...args: string[]): Promise<TaskView[]> {
    return (await this.json<{ tasks: TaskView[] }>("ps", ...args)).tasks;
  }

  async nodes(): Promise<NodeView[]> {
    return (await this.json<{ nodes: NodeView[] }>("nodes")).nodes;
  }

  async ready(): Promise<void> {
    const names = [...this.agents.keys()];
    await waitUntil("all nodes to be ready", async () => {
      const nodes = await this.nodes();
      return names.every((name) => nodes.some((node) => node.name === name && node.state === "ready"));
    });
  }

  /** Waits until the tasks satisfy a condition. Returns them. */
  async until(what: string, holds: (tasks: TaskView[]) => boolean, deadline_ms = 20_000): Promise<TaskView[]> {
    return waitUntil(
      what,
      async () => {
        const tasks = await this.tasks("--all");
        return holds(tasks) ? tasks : null;
      },
      deadline_ms,
    );
  }

  /** Returns the names of this cluster's agents outside of their directories: run directories and control groups. */
  #machineNames(): string[] {
    const dirs = [...this.agents.keys()].map((name) => this.dataOf(name));
    return dirs.flatMap((dir) => [dir, join(dir, "agent")]).map(runName);
  }

  /** Returns what of this cluster is on the machine right now, outside of its directory, in words. */
  left(): string[] {
    return [
      ...processesOf(this.dir).map(({ pid, command }) => `process ${pid}: ${command}`),
      ...this.#machineNames()
        .flatMap(cgroupsOf)
        .map((path) => `cgroup ${path}`),
      ...mountsOf(this.dir).map((line) => `mount ${line}`),
    ];
  }

  /** Ends everything with SIGKILL. Returns what could not be ended; an empty list is the proof that nothing is left. */
  async close(): Promise<string[]> {
    await killAllOf(this.dir);
    for (const name of this.#machineNames()) {
      // Removes what a reboot would remove, since nobody is left who could.
      await rm(join(runRoot(), name), { recursive: true, force: true });
      for (const group of cgroupsOf(name)) await removeGroups(group);
    }
    const left = this.left();
    await rm(this.dir, { recursive: true, force: true });
    return left;
  }
}

/** Returns the task of a slot that runs and is to go on, whichever attempt it is. */
export const livingTask = (tasks: readonly TaskView[], name: string): TaskView | undefined =>
  tasks.find((task) => task.name.replace(/#.*/, "") === name && task.state === "running" && task.desired === "run");
