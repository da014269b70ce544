// Runs one seed from beginning to end: a world with faults and people, then a quiet phase in which it must come to
// rest.

import { traceOf } from "../../src/os/errors";
import { beginArrays } from "./arrays";
import { crowd } from "./crowd";
import { joinMachine } from "./operators";
import { beginPeople } from "./people";
import { checkFollowed } from "./fences";
import { noteReach } from "./reach";
import { calmDown, settle } from "./settle";
import { beginTroubles } from "./troubles";
import { Violation } from "./violation";
import { bootServer } from "./processes";
import { makeWorld, type World } from "./world";

export interface Result {
  readonly seed: string;
  readonly violation: Violation | null;
  readonly ticks: number;
  readonly hash: string;
  /** The last lines of what happened, oldest first. */
  readonly trace: readonly string[];
}

export function runSeed(seed: string, lines = 60): Result {
  const world = makeWorld(seed);
  let violation: Violation | null = null;
  try {
    live(world);
  } catch (error) {
    violation = world.broken ?? (error instanceof Violation ? error : new Violation("nothing throws", traceOf(error)));
  } finally {
    world.close();
  }
  return { seed, violation, ticks: world.schedule.ticks, hash: world.trace.hash(), trace: world.trace.tail(lines) };
}

/** The share of worlds in which a crowd comes in the end. */
const CROWDED = 0.3;

/** This many events at one moment are an endless loop. */
const CIRCLE = 5_000;

function live(world: World): void {
  let moment_ms = 0,
    events = 0;
  const advance = (until_ms: number): void => {
    while (world.schedule.step(until_ms)) {
      if (world.broken !== null) throw world.broken;
      noteReach(world);
      checkFollowed(world);
      events = world.schedule.now_ms === moment_ms ? events + 1 : 0;
      moment_ms = world.schedule.now_ms;
      if (events > CIRCLE) throw new Violation("time goes on", `nothing but events at ${moment_ms}`);
    }
    if (world.broken !== null) throw world.broken;
  };
  bootServer(world);
  for (const machine of world.machines)
    world.schedule.in(world.dice.work.int(0, 3_000), () => joinMachine(world, machine));
  advance(5_000);
  beginPeople(world);
  beginArrays(world);
  beginTroubles(world);
  advance(5_000 + world.faults.safety_ms);
  calmDown(world);
  const wrong = settle(world, advance);
  const [first] = wrong;
  if (first !== undefined) throw new Violation("the world comes to rest", wrong.slice(0, 8).join("\n    "));
  if (!world.dice.crowd.chance(CROWDED)) return;
  const [late] = crowd(world, advance);
  if (late !== undefined) throw new Violation("everybody gets their turn", late);
}
