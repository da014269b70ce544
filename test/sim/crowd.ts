// A machine with a queue, once the world is at rest: a stream of small jobs takes every core that becomes free, and
// what needs all of them starts all the same once its patience is over.

import type { WorkloadDecl } from "../../src/core/model/workload";
import { isFinal } from "../../src/core/model/lifecycle";
import type { RunRow } from "../../src/core/model/rows-work";
import { GIB, SECOND_MS } from "../../src/core/units";
import { SIM_LIMITS } from "./limits";
import { makeMachine } from "./nodes";
import { joinMachine } from "./operators";
import { apply, BURST, cancelUid, declare, submitDecl } from "./people";
import { randomSettings, randomSpec } from "./specs";
import type { World } from "./world";

/** No other work goes to machines of this pool. */
const POOL = "crowd";
const CORES = 4;
const LONGEST_MS = 10 * SECOND_MS;
/** How long commits, starts and reports may take. */
const SLACK_MS = 15 * SECOND_MS;
const READY_WITHIN_MS = 120 * SECOND_MS;
const STEP_MS = 500;
/** The stream asks for 130 % of the cores. Whole, since a sum of parts of milliseconds is late by a little. */
const EVERY_MS = Math.floor((0.75 * LONGEST_MS) / CORES / 1.3);

/** What needs the whole machine: one job, a job with a follower, or one that is cancelled while room is kept for it. */
const KINDS = ["big", "company", "given up"] as const;

/** Lets a crowd come to a machine of its own. Returns what does not get its turn. */
export function crowd(world: World, advance: (until_ms: number) => void): string[] {
  const random = world.dice.crowd;
  const kind = random.pick(KINDS);
  const machine = { ...makeMachine(`m${world.machines.length + 1}`, random.fork("machine"), 1), pool: POOL };
  machine.capacity = { cpu_milli: CORES * 1_000, memory_bytes: 64 * GIB, disk_bytes: GIB, countables: {} };
  world.trace.note(`a crowd comes to ${machine.id}: ${kind}`);
  // Room is kept for a few only, so nobody else may have waited for long.
  for (const run of world.database.state.runs.values()) if (run.name === BURST) cancelUid(world, run.uid);
  world.machines.push(machine);
  joinMachine(world, machine);
  const isReady = (): boolean =>
    [...world.database.state.nodes.values()].some(
      ({ name, admission }) => name === machine.id && admission === "ready",
    );
  if (!within(world, advance, READY_WITHIN_MS, isReady)) return [`L2: ${machine.id} does not get ready`];
  return kind === "given up" ? giveUp(world, advance) : stream(world, advance, kind);
}

function within(world: World, advance: (until_ms: number) => void, for_ms: number, holds: () => boolean): boolean {
  const end_ms = world.schedule.now_ms + for_ms;
  while (!holds() && world.schedule.now_ms < end_ms) advance(world.schedule.now_ms + STEP_MS);
  return holds();
}

function job(world: World, name: string, cpu_milli: number, lives_ms: number, leader?: string): WorkloadDecl {
  const random = world.dice.crowd;
  const { place, request, ...spec } = randomSpec(random, "job");
  const settings = randomSettings(random, "job", { ...spec, place, request });
  return {
    name,
    kind: "job",
    spec: {
      ...spec,
      command: { kind: "argv", argv: ["sim", "exit", String(lives_ms), "0"] },
      members: 1,
      workdir: null,
      request: { ...request, cpu_milli, memory_bytes: GIB, gpu: null },
      place: { ...place, pool: POOL, together_with: leader === undefined ? [] : [leader] },
    },
    settings: { ...settings, priority: 0, time_limit_ms: null, on_node_loss: "wait" },
  };
}

const runsOf = ({ database: { state, ended_runs } }: World, has: (run: RunRow) => boolean): RunRow[] =>
  [...state.runs.values(), ...ended_runs.values()].filter(has);

const hasBegun = ({ started_ms }: RunRow): boolean => started_ms !== null;

function stream(world: World, advance: (until_ms: number) => void, kind: "big" | "company"): string[] {
  const random = world.dice.crowd;
  // The node may have to be asked more than once whether it has what the work needs.
  const uid = random.hex(32);
  submitDecl(world, job(world, "first", 1_000, 1_000), uid);
  const isOver = (): boolean => runsOf(world, (run) => run.uid === uid && isFinal(run.state)).length > 0;
  if (!within(world, advance, READY_WITHIN_MS, isOver)) return ["L6: the first job of a stream does not end"];
  let due_ms = world.schedule.now_ms;
  const goOn = (until_ms: number): void => {
    for (; due_ms < until_ms; due_ms += EVERY_MS) {
      submitDecl(world, job(world, "small", 1_000, random.int(LONGEST_MS / 2, LONGEST_MS)), random.hex(32));
      advance(Math.max(world.schedule.now_ms, due_ms));
    }
    advance(until_ms);
  };
  goOn(world.schedule.now_ms + 2 * LONGEST_MS);
  // The first ones have ended, and others have their cores.
  const small = runsOf(world, (run) => run.name === "small" && hasBegun(run)).length;
  if (small < CORES + 2) return [`L6: ${small} jobs of a stream have begun`];
  const big = random.hex(32);
  const all = CORES * 1_000;
  if (kind === "big") submitDecl(world, job(world, "big", all, 1_000), big);
  else apply(world, declare(POOL, [job(world, "big", all - 100, 5_000), job(world, "by", 100, 5_000, "big")]));
  const isOne = (run: RunRow): boolean => (kind === "big" ? run.uid === big : run.app === POOL);
  const count = kind === "big" ? 1 : 2;
  const have = (): boolean => runsOf(world, (run) => isOne(run) && hasBegun(run)).length === count;
  const for_ms = SIM_LIMITS.patience_ms + LONGEST_MS + SLACK_MS;
  return within(world, goOn, for_ms, have) ? [] : [`L6: the ${kind} has patience and does not start`];
}

/** Nothing ends here but the wait of the big one, and what waits behind it has room at once. */
function giveUp(world: World, advance: (until_ms: number) => void): string[] {
  const random = world.dice.crowd;
  const [uid, small] = [random.hex(32), random.hex(32)];
  submitDecl(world, job(world, "long", 1_000, 600_000), random.hex(32));
  const ran = (name: string): boolean => runsOf(world, (run) => run.name === name && hasBegun(run)).length > 0;
  if (!within(world, advance, SLACK_MS, () => ran("long"))) return ["L6: a job has room and does not start"];
  submitDecl(world, job(world, "big", CORES * 1_000, 1_000), uid);
  advance(world.schedule.now_ms + SIM_LIMITS.patience_ms + SLACK_MS);
  submitDecl(world, job(world, "small", 1_000, 1_000), small);
  advance(world.schedule.now_ms + SLACK_MS);
  const begun = (): boolean => runsOf(world, (run) => run.uid === small && hasBegun(run)).length > 0;
  if (begun()) return ["L6: what waits behind takes the room that is kept"];
  cancelUid(world, uid);
  const isOver = runsOf(world, (run) => run.uid === uid).every(({ state }) => isFinal(state));
  if (isOver) return ["L6: what needs all cores is over before it has them"];
  return within(world, advance, SLACK_MS, begun) ? [] : ["L6: room is kept for a run that was cancelled"];
}
