// Arrays that people submit in some worlds, beside everything else that happens there, and some of which they cancel.

import type { ArrayDecl } from "../../src/core/model/array";
import type { RunRow } from "../../src/core/model/rows-work";
import type { WorkloadDecl } from "../../src/core/model/workload";
import { GIB, SECOND_MS } from "../../src/core/units";
import { withDirectory } from "./directories";
import { cancelUid, submitDecl } from "./people";
import type { Random } from "./random";
import { randomSettings, randomSpec } from "./specs";
import type { World } from "./world";

const MOST_ELEMENTS = 60;
/** Where so many go on, one is cancelled instead of a further one. */
const MOST_ARRAYS = 3;
/** How long the elements of an array take at most, one after the other. */
const LONGEST_ARRAY_MS = 90 * SECOND_MS;

/** Lets people submit arrays until the world calms down, where this seed has any. */
export function beginArrays(world: World): void {
  const { arrays_every_ms } = world.faults;
  const { arrays } = world.dice;
  if (arrays_every_ms === null) return;
  world.schedule.in(arrays.wait(arrays_every_ms), () => {
    if (world.calm) return;
    if (!world.wrongDatabase) {
      const runs = arraysOf(world);
      if (runs.length >= MOST_ARRAYS || (runs.length > 0 && arrays.chance(0.15)))
        cancelUid(world, arrays.pick(runs).uid);
      else submitDecl(world, randomArray(arrays), arrays.hex(32));
    }
    beginArrays(world);
  });
}

const arraysOf = ({ database: { state } }: World): RunRow[] =>
  [...state.runs.values()].filter(({ array, cancel }) => array !== null && cancel === null);

function randomRange(random: Random): ArrayDecl {
  const first = random.pick([0, 1, 7]);
  const step = random.pick([1, 1, 1, 2, 5]);
  const count = random.pick([random.int(1, 6), random.int(1, MOST_ELEMENTS)]);
  const limit = random.chance(0.4) ? random.int(1, 6) : null;
  return { first, last: first + (count - 1) * step + random.int(0, step - 1), step, limit };
}

function randomArray(random: Random): WorkloadDecl {
  const array = randomRange(random);
  const spec = withDirectory(random, randomSpec(random, "job"));
  const count = Math.floor((array.last - array.first) / array.step) + 1;
  const longest_ms = Math.min(random.pick([10, 300, 2_000, 2_000, 30_000]), Math.floor(LONGEST_ARRAY_MS / count));
  const { on_unknown_end: _, ...settings } = randomSettings(random, "job", spec);
  return {
    name: `each${random.int(0, 99)}`,
    kind: "job",
    spec: {
      ...spec,
      origin: "run",
      command: { kind: "argv", argv: ["sim", "each", String(longest_ms)] },
      members: 1,
      request: { ...spec.request, cpu_milli: random.pick([100, 250, 500, 1_000]), memory_bytes: GIB / 2 },
    },
    settings: {
      ...settings,
      ...(random.chance(0.7) ? { on_unknown_end: random.pick(["retry", "fail"] as const) } : {}),
      time_limit_ms: random.chance(0.2) ? random.int(1, 10) * SECOND_MS : null,
      array,
    },
  };
}
