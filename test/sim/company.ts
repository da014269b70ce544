// Workloads that want to be together or apart, as people write them, and the check that they are placed so.

import { isWanted, taskName } from "../../src/core/model/task";
import type { State } from "../../src/core/model/rows-state";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { WorkloadRow } from "../../src/core/model/rows-work";
import type { TaskSpec, WorkloadDecl } from "../../src/core/model/workload";
import type { Random } from "./random";
import { demand } from "./violation";

/** A port that few machines have twice. */
const FIXED = { name: "fixed", target: null, published: 9_000, bind: "cluster" as const };

/** Returns the workloads of an app, some of which want company, or a port of their own. Only these are changed. */
export function withCompany(
  random: Random,
  workloads: readonly WorkloadDecl[],
  isChanged: (name: string) => boolean = () => true,
): WorkloadDecl[] {
  const some = random.chance(0.5);
  const names = workloads.map(({ name }) => name);
  const others = (p: number, own: string): string[] =>
    names.length > 1 && random.chance(p) ? [random.pick(names.filter((name) => name !== own))] : [];
  return workloads.map((decl) => {
    const { name, kind, spec } = decl;
    const { together_with, apart_from } = spec.place;
    const known = { together_with: named(together_with, names), apart_from: named(apart_from, names) };
    if (!some || !isChanged(name)) return { ...decl, spec: { ...spec, place: { ...spec.place, ...known } } };
    const place = { together_with: others(0.4, name), apart_from: random.chance(0.15) ? [name] : others(0.15, name) };
    const ports = kind === "service" && random.chance(0.2) ? [FIXED] : spec.ports;
    return { ...decl, spec: { ...spec, ports, place: { ...spec.place, ...place } } };
  });
}

const named = (list: readonly string[], names: readonly string[]): string[] =>
  list.filter((name) => names.includes(name));

/** What there was before a batch. */
export interface Before {
  readonly tasks: ReadonlyMap<string, TaskRow>;
  readonly workloads: ReadonlyMap<string, WorkloadRow>;
}

/**
 * Checks that what a batch places is with those that it follows, and apart from those that it avoids. A batch may hold
 * changes beside the plan's, so only what holds both before and after it, or what the plan has placed, counts.
 */
export function checkCompany(
  placed: readonly TaskRow[],
  before: Before,
  after: State,
  specs: ReadonlyMap<string, TaskSpec>,
): void {
  for (const task of placed) {
    const place = specs.get(task.spec_hash)?.place;
    if (task.app_uid === null || place === undefined) continue;
    const others = [...after.tasks.values()].filter(({ app_uid }) => app_uid === task.app_uid);
    for (const name of place.together_with) {
      if (name !== task.workload) checkTogether(task, name, { before, after, others, specs });
    }
    for (const name of place.apart_from) {
      const other = others.find(
        ({ uid, workload, node_id, owner_uid, slot }) =>
          workload === name &&
          node_id === task.node_id &&
          (before.tasks.has(uid) || placed.some((one) => one.uid === uid)) &&
          (owner_uid !== task.owner_uid || slot !== task.slot),
      );
      demand(
        other === undefined,
        "company: what keeps apart is placed apart",
        () => `${taskName(task)} beside ${taskName(other ?? task)}`,
      );
    }
  }
}

interface Around {
  readonly before: Before;
  readonly after: State;
  /** The tasks of the app. */
  readonly others: readonly TaskRow[];
  readonly specs: ReadonlyMap<string, TaskSpec>;
}

function checkTogether(task: TaskRow, name: string, { before, after, others, specs }: Around): void {
  const was = (uid: string): boolean => {
    const row = before.tasks.get(uid);
    return row !== undefined && isWanted(row);
  };
  const leaders = others.filter(({ uid, workload }) => workload === name && uid !== task.uid);
  const may = leaders.filter((one) => was(one.uid) || isWanted(one));
  const gone = [...before.tasks.values()].filter(
    (one) => one.app_uid === task.app_uid && one.workload === name && isWanted(one) && !after.tasks.has(one.uid),
  );
  const isHere = [...may, ...gone].some(({ node_id }) => node_id === task.node_id);
  const isElsewhere = leaders.some((one) => was(one.uid) && isWanted(one));
  demand(
    isHere || !isElsewhere,
    "company: what follows is placed where its leader is",
    () => `${taskName(task)} without ${name}`,
  );
  const comes = (row: WorkloadRow | undefined): boolean =>
    row !== undefined &&
    !row.removing &&
    (row.kind === "daemon" || (row.kind === "service" && row.settings.replicas > 0)) &&
    specs.get(row.spec_hash)?.place.together_with.length === 0;
  const uid = [...after.workloads.values()].find((row) => row.app_uid === task.app_uid && row.name === name)?.uid ?? "";
  demand(
    may.length + gone.length > 0 || !comes(before.workloads.get(uid)) || !comes(after.workloads.get(uid)),
    "company: what follows waits for its leader",
    () => `${taskName(task)} before ${name}`,
  );
}
