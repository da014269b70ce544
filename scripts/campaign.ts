// Kills server, agents and keepers at random while four writers change things, freezes disks, cuts networks and steps
// clocks beside that, and then checks every acknowledgement, every exit code and every log.
// `bun run campaign [--kills 500] [--agents 3] [--seed N]`; root on Linux, in a network namespace of its own. With
// `--elements N` there is one array of so many elements instead of the writers, and only kills.

import { join } from "node:path";
import { randomMoment } from "../test/support/wait";
import { logsOf } from "../test/support/logs";
import { diceOf } from "../test/support/random";
import { audit, type Verdict } from "./campaign/audit";
import { auditElements, submitElements } from "./campaign/elements";
import { healAll, killOne, lastingFault, type Done } from "./campaign/faults";
import { Field, missing, type Host } from "./campaign/field";
import { LANES, newBook, writer, type Book } from "./campaign/writers";

const LONGEST_LIFE_MS = 2_000;
/** One fault that lasts to so many kills. */
const KILLS_A_FAULT = 8;

const KEEP = (solo: string): string =>
  `app: keep\nservices:\n  web: { run: exec sleep 100000, replicas: 3, resources: { cpu: 10m, memory: 8MiB } }\n` +
  `  solo:\n    exclusive: true\n    resources: { cpu: 10m, memory: 8MiB }\n` +
  `    run: 'while :; do echo "$ORCH_TASK" >> ${solo}; sleep 0.1; done'\n`;

const flag = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};

interface Battle {
  readonly field: Field;
  readonly book: Book;
  readonly done: Done;
  readonly seed: number;
  readonly started: number;
}

/** Kills `kills` times while the writers write. Returns when every fault that lasts has been healed. */
async function strike({ field, book, done, seed, started }: Battle, kills: number): Promise<void> {
  const dice = diceOf(seed);
  const busy = new Set<Host>();
  const lasting: Promise<void>[] = [];
  for (let n = 1; n <= kills; n++) {
    await randomMoment(LONGEST_LIFE_MS, () => dice.below(1_000) / 1_000);
    if (n % KILLS_A_FAULT === 0) lasting.push(lastingFault(field, dice, busy, done));
    await killOne(field, dice, busy, done);
    if (n % 25 === 0) console.log(`${n} kills, ${book.acknowledged} acknowledged, ${seconds(started)}`);
  }
  await Promise.all(lasting);
}

/** Prints what a campaign found. Returns whether everything held. */
function told({ done, seed, started }: Battle, verdict: Verdict): boolean {
  const faults = [...done].map(([name, n]) => `${n} × ${name}`).join(", ");
  console.log(`\nseed ${seed}, ${seconds(started)}: ${faults}`);
  console.log(
    `${verdict.acknowledged} acknowledged (${verdict.asked} jobs asked for), ${verdict.lost.length} lost, ` +
      `${verdict.twice.length} twice, ${verdict.wrong.length} wrong, ${verdict.unknown} ends unknown, ` +
      `${verdict.logs} logs compared`,
  );
  const faulty = [...verdict.lost, ...verdict.twice, ...verdict.wrong];
  for (const line of faulty.slice(0, 40)) console.log(`  ${line}`);
  return faulty.length === 0;
}

async function campaign(kills: number, agents: number, seed: number): Promise<boolean> {
  const field = await Field.start(agents);
  const { cluster } = field;
  const files = { notes: join(cluster.dir, "notes"), solo: join(cluster.dir, "solo") };
  const battle: Battle = { field, book: newBook(), done: new Map(), seed, started: performance.now() };
  const { book } = battle;
  try {
    const { code, err } = await cluster.apply(KEEP(files.solo));
    if (code !== 0) throw new Error(err);
    const client = cluster.client();
    const lanes = Array.from({ length: LANES }, async (_, n) =>
      writer(client, book, diceOf(seed + n + 1), n, files.notes),
    );
    await strike(battle, kills);
    book.stop = true;
    await Promise.all(lanes);
    await healAll(field);
    return told(battle, await audit(field, book, files));
  } catch (error) {
    console.log(logsOf(cluster.dir));
    throw error;
  } finally {
    book.stop = true;
    for (const line of await field.close()) console.log(`  left behind: ${line}`);
  }
}

/** Kills as often while one array runs, and holds each of its elements against what it noted. */
async function campaignOfElements(kills: number, agents: number, seed: number, elements: number): Promise<boolean> {
  const field = await Field.start(agents);
  const { cluster } = field;
  const notes = join(cluster.dir, "notes");
  const battle: Battle = { field, book: newBook(), done: new Map(), seed, started: performance.now() };
  try {
    const run = await submitElements(cluster.client(), elements, notes);
    const dice = diceOf(seed);
    for (let n = 1; n <= kills; n++) {
      await randomMoment(LONGEST_LIFE_MS, () => dice.below(1_000) / 1_000);
      await killOne(field, dice, new Set(), battle.done);
      if (n % 25 === 0) console.log(`${n} kills, ${seconds(battle.started)}`);
    }
    await healAll(field);
    return told(battle, await auditElements(field, run, elements, notes));
  } catch (error) {
    console.log(logsOf(cluster.dir));
    throw error;
  } finally {
    for (const line of await field.close()) console.log(`  left behind: ${line}`);
  }
}

const seconds = (started: number): string => `${((performance.now() - started) / 1000).toFixed(0)} s`;

const INSIDE = "ORCH_CAMPAIGN_INSIDE";

const why = missing();
if (why !== null) {
  console.log(`skipped: ${why}`);
} else if (process.env[INSIDE] === undefined) {
  // The server's addresses and the agents' links lie in a namespace that ends with this process.
  const argv = ["unshare", "--net", "--mount", process.execPath, ...process.argv.slice(1)];
  const child = Bun.spawn(argv, { stdio: ["inherit", "inherit", "inherit"], env: { ...process.env, [INSIDE]: "1" } });
  process.exitCode = await child.exited;
} else {
  const seed = flag("seed", Date.now() % 1_000_000);
  console.log(`campaign with seed ${seed}`);
  const [kills, agents, elements] = [flag("kills", 500), flag("agents", 3), flag("elements", 0)];
  const battle = elements > 0 ? campaignOfElements(kills, agents, seed, elements) : campaign(kills, agents, seed);
  process.exitCode = (await battle) ? 0 : 1;
}
