// The directories in which tasks want to begin. Each machine has some of them, and its agent says which.

import type { Looker } from "../../src/agent/machine/presence";
import type { Need, Presence } from "../../src/core/pass/presence";
import type { TaskSpec } from "../../src/core/model/workload";
import type { Machine } from "./machine";
import type { Random } from "./random";

const DIRECTORIES = ["/data/a", "/data/b"] as const;

export const drawDirectories = (random: Random): Set<string> => new Set(DIRECTORIES.filter(() => random.chance(0.6)));

/** Returns a spec, a few of which begin in such a directory. */
export const withDirectory = (random: Random, spec: TaskSpec): TaskSpec =>
  random.chance(0.15) ? { ...spec, workdir: random.pick(DIRECTORIES) } : spec;

/** Somebody makes what a machine lacks. */
export function makeDirectories({ directories }: Machine): void {
  for (const path of DIRECTORIES) directories.add(path);
}

/** Looks at a simulated machine as an agent looks at a real one. Some looks take long, as on a slow mount. */
export function makeLooker(machine: Machine, random: Random): Looker {
  const said = ({ path }: Need): Presence => (path === null || machine.directories.has(path) ? "there" : "missing");
  return {
    look: (need) =>
      new Promise((resolve) => {
        const state = random.chance(0.02) ? "silent" : said(need);
        setTimeout(() => resolve(state), random.chance(0.1) ? 5_000 : 5);
      }),
  };
}
