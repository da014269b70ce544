// The whole of orch in a minute: a server and three machines (agents, each a process with its own data directory), an
// app with a service, jobs after each other and a daemon, and the loss of a machine. `--keep` leaves it running until
// Ctrl-C. It ends with nothing left behind, and says so.

import { Glob } from "bun";
import { existsSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { TaskView } from "../src/wire/api/tasks";
import { Cluster } from "../test/support/cluster";
import { BINARY } from "../test/support/program";
import { LiveTable } from "./demo/live";

const ROOT = join(import.meta.dir, "..");
const EXAMPLE = "examples/demo.yaml";
const MACHINES = ["box1", "box2", "box3"];

/** A silent node's services are replaced after 30 s by default, which is too long for a demo. */
const SETTINGS = ["unreachable_after=2s", "replace_after=3s", "settle=500ms"];
const DEADLINE_MS = 60_000;

const say = (...lines: string[]): void => lines.forEach((line) => console.log(line));

/** Every block ends with an empty line. */
const heading = (...lines: string[]): void => say(...lines.map(bold), "");
const bold = (text: string): string =>
  process.stdout.isTTY && process.env["NO_COLOR"] === undefined ? `\x1b[1m${text}\x1b[22m` : text;

/** Runs a command as a user would, and shows both. */
async function shown(cluster: Cluster, ...args: string[]): Promise<void> {
  say(`$ orch ${args.join(" ")}`);
  const { code, out, err } = await cluster.orch(...args);
  say((out + err).trimEnd(), "");
  if (code !== 0) throw new Error(`orch ${args.join(" ")}: exit ${code}`);
}

/** Returns whether the binary exists and no source is newer. */
async function isFresh(): Promise<boolean> {
  if (!existsSync(BINARY)) return false;
  const built = statSync(BINARY).mtimeMs;
  for await (const path of new Glob("{src,migrations}/**/*").scan({ cwd: ROOT })) {
    if (statSync(join(ROOT, path)).mtimeMs > built) return false;
  }
  return true;
}

async function buildBinary(): Promise<void> {
  if (await isFresh()) return;
  say("Building dist/orch …");
  const build = Bun.spawn([process.execPath, "scripts/build.ts"], { cwd: ROOT, stdout: "inherit", stderr: "inherit" });
  if ((await build.exited) !== 0) throw new Error("the build failed");
}

const ofService = (tasks: readonly TaskView[]): TaskView[] => tasks.filter(({ kind }) => kind === "service");
const jobsDone = (tasks: readonly TaskView[]): boolean => {
  const jobs = tasks.filter(({ kind }) => kind === "job");
  return jobs.length >= 3 && jobs.every(({ state }) => state === "succeeded");
};
const serviceUp = (tasks: readonly TaskView[], replicas: number): boolean =>
  ofService(tasks).filter(({ state, desired }) => state === "running" && desired === "run").length >= replicas;

/** Returns a machine that runs a replica and does not hold the finished job whose output is shown later. */
function victimOf(tasks: readonly TaskView[]): string {
  const jobNodes = new Set(tasks.filter(({ kind }) => kind === "job").map(({ node }) => node));
  const nodes = ofService(tasks)
    .filter(({ state }) => state === "running")
    .map(({ node }) => node);
  const victim = nodes.find((node) => !jobNodes.has(node)) ?? nodes[0];
  if (victim === undefined || victim === null) throw new Error("no machine runs a replica");
  return victim;
}

async function loseMachine(cluster: Cluster, live: LiveTable): Promise<void> {
  const before = await cluster.tasks();
  const victim = victimOf(before);
  const gone = new Set(before.filter(({ node }) => node === victim).map(({ id }) => id));
  const killed = await cluster.killMachine(victim);
  const started = performance.now();
  heading(`Now ${victim} loses power: ${killed} processes (its agent, keeper and tasks) are killed at once.`);
  const replaced = (tasks: readonly TaskView[]): TaskView | undefined =>
    ofService(tasks).find(
      ({ id, node, state, attempt }) => !gone.has(id) && node !== victim && state === "running" && attempt > 1,
    );
  await live.until("the service to come back", (tasks) => replaced(tasks) !== undefined, DEADLINE_MS);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const found = replaced(await cluster.tasks());
  heading(
    `${found?.name ?? "The replica"} came up on ${found?.node ?? "another node"} ${seconds} s later: the demo ` +
      "waits 3 s, the default is 30 s.",
    `(The attempts between were granted to ${victim}, which restarts its own while it is cut off.)`,
  );
  await shown(cluster, "nodes");
}

async function story(cluster: Cluster): Promise<void> {
  heading(`One server and ${MACHINES.length} machines (each an agent with 2 cores and 1 GiB to give):`);
  await shown(cluster, "nodes");
  await shown(cluster, "apply", "-f", EXAMPLE, "--yes");
  const live = new LiveTable(cluster);
  await live.until(
    "the jobs to succeed and the service to be up",
    (tasks) => jobsDone(tasks) && serviceUp(tasks, 2),
    DEADLINE_MS,
  );
  heading("The job train began when prepare had succeeded. What it printed:");
  await shown(cluster, "logs", "demo.train");
  await loseMachine(cluster, live);
  heading("The finished jobs never run again, and their record is there:");
  await shown(cluster, "runs");
}

function howToKeep(cluster: Cluster): void {
  say(
    "It runs until Ctrl-C. In another terminal:",
    "",
    `    export ORCH_DATA=${cluster.data}`,
    `    ${relative(process.cwd(), BINARY) || BINARY} ps`,
    "",
  );
}

async function interrupted(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
}

async function main(): Promise<number> {
  await buildBinary();
  const stopped = interrupted().then(() => "stopped" as const);
  const options = { name: "demo", agents: MACHINES, capacity: "cpu=2,memory=1GiB", settings: SETTINGS };
  const cluster = await Cluster.start(options);
  let code = 0;
  try {
    const how = await Promise.race([story(cluster).then(() => "told" as const), stopped]);
    if (how === "told" && process.argv.includes("--keep")) {
      howToKeep(cluster);
      await stopped;
    }
    if (how === "stopped") code = 130;
  } finally {
    const left = await cluster.close();
    say(
      left.length === 0
        ? "Everything was ended: no process, control group or file of it is left."
        : `LEFT BEHIND: ${left.join("; ")}`,
    );
    if (left.length > 0) code = 1;
  }
  if (code !== 0) return code;
  say("", "Keep it running:   npx -y bun@1.4.5 run demo --keep");
  say("On real machines:  README.md, “First five minutes”");
  return code;
}

process.exitCode = await main();
