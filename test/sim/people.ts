// What people do at random times: apply random specs, scale, restart, remove, run, cancel, and what operators do with
// machines.

import type { State } from "../../src/core/model/rows-state";
import type { AppRow, WorkloadRow } from "../../src/core/model/rows-work";
import { isFinal } from "../../src/core/model/lifecycle";
import type { AppDecl, WorkloadDecl } from "../../src/core/model/workload";
import { scale } from "../../src/core/plan/scale";
import type { Draft, Store } from "../../src/store/store";
import { applyApp } from "../../src/server/work/apply";
import { findApp, putWorkload, removeWorkload, workloadsOf } from "../../src/server/work/apps";
import { cancelRun, makeRun } from "../../src/server/work/runs";
import { GIB, SECOND_MS } from "../../src/core/units";
import { drained } from "../../src/server/nodes/node-changes";
import { RefusedError } from "../../src/server/refused";
import { answer, asking } from "./answers";
import { send } from "./asking";
import { withCompany } from "./company";
import { withDirectory } from "./directories";
import { SIM_LIMITS } from "./limits";
import { resume, setNode, testNode, taint } from "./operators";
import { randomApp, randomSettings, randomSpec } from "./specs";
import type { World } from "./world";

const PROJECT = "lab";
/** What the runs of a burst are called. */
export const BURST = "quick";
const BURST_EVERY_MS = 40 * SECOND_MS;

// ---- apps and runs

export const declare = (name: string, workloads: readonly WorkloadDecl[]): AppDecl => ({
  app: name,
  project: PROJECT,
  workloads,
});

function specOf(world: World): Store["spec"] {
  const spec = world.server?.store.spec;
  if (spec === undefined) throw new RefusedError("unavailable", "the server is gone");
  return spec;
}

export function apply(world: World, decl: AppDecl): void {
  const { people } = world.dice;
  const fresh = (): string => people.hex(32);
  const text = JSON.stringify(decl);
  send(
    world,
    `apply ${decl.app}`,
    (draft) => {
      const spec = specOf(world);
      const user = "alice";
      applyApp(draft, { decl, project: PROJECT, text, revision: null, user, fresh, spec, limits: SIM_LIMITS });
      return findApp(draft.state, PROJECT, decl.app)?.uid ?? "";
    },
    (uid) =>
      ({ state, graves }) =>
        state.apps.has(uid) || graves.size > 0,
  );
}

/** Returns an app as somebody would have it in a file. */
function declOf(world: World, app: AppRow): WorkloadDecl[] {
  const { state, specs } = world.database;
  return workloadsOf(state, app.uid)
    .filter((workload) => !workload.removing)
    .map(({ name, kind, settings, spec_hash }) => {
      const spec = specs.get(spec_hash);
      if (spec === undefined) throw new Error(`no spec ${spec_hash}`);
      return { name, kind, settings, spec };
    });
}

function edit(world: World, app: AppRow): void {
  const { people } = world.dice;
  const was = declOf(world, app);
  const workloads = was.map((decl): WorkloadDecl => {
    if (people.chance(0.4)) return decl;
    const spec = people.chance(0.5) ? randomSpec(people, decl.kind, world.faults.exclusive) : decl.spec;
    const settings = people.chance(0.5)
      ? { ...randomSettings(people, decl.kind, spec), after: decl.settings.after }
      : decl.settings;
    return {
      ...decl,
      spec,
      settings: spec.exclusive ? { ...settings, restart: { ...settings.restart, offline: false } } : settings,
    };
  });
  if (workloads.length > 1 && people.chance(0.2)) {
    const gone = workloads.pop();
    for (const [n, decl] of workloads.entries()) {
      const after = decl.settings.after.filter(({ name }) => name !== gone?.name);
      workloads[n] = { ...decl, settings: { ...decl.settings, after } };
    }
  }
  const before = new Map(was.map(({ name, spec }) => [name, spec]));
  apply(
    world,
    declare(
      app.name,
      sociable(world, workloads, ({ name, spec }) => before.get(name) !== spec),
    ),
  );
}

/** Returns workloads some of which want company, ports and directories of their own. The others stay as they are. */
function sociable(
  { dice: { company } }: World,
  workloads: readonly WorkloadDecl[],
  isChanged: (decl: WorkloadDecl) => boolean = () => true,
): WorkloadDecl[] {
  const some = workloads.map((decl) => (isChanged(decl) ? { ...decl, spec: withDirectory(company, decl.spec) } : decl));
  const changed = new Set(workloads.filter(isChanged).map(({ name }) => name));
  return withCompany(company, some, (name) => changed.has(name));
}

const someApp = (world: World, state: State): AppRow | null =>
  state.apps.size === 0 ? null : world.dice.people.pick([...state.apps.values()]);

function remove(world: World, app: AppRow): void {
  send(
    world,
    `rm ${app.name}`,
    (draft) => {
      const now = draft.state.apps.get(app.uid);
      if (now === undefined || now.removing) return;
      draft.put([
        { table: "apps", key: app.uid, row: { ...now, removing: true, revision: draft.revision } },
        ...workloadsOf(draft.state, app.uid).flatMap((workload) => removeWorkload(draft, workload, "alice")),
      ]);
    },
    () =>
      ({ state }) =>
        state.apps.get(app.uid)?.removing !== false,
  );
}

function scaleOrRestart(world: World): void {
  const { people } = world.dice;
  const services = [...world.database.state.workloads.values()].filter(
    ({ kind, removing }) => kind === "service" && !removing,
  );
  const several = services.filter(({ settings }) => settings.replicas > 1);
  if (services.length === 0) return;
  const { uid, app, name, settings } = people.pick(several.length > 0 ? several : services);
  // One fewer is what leaves gaps, and one more what fills them.
  const one = [Math.max(0, settings.replicas - 1), settings.replicas + 1];
  const replicas = people.chance(0.7) ? people.pick([0, 2, 4, ...one, ...one]) : null;
  send(
    world,
    replicas === null ? `restart ${app}.${name}` : `scale ${app}.${name}=${replicas}`,
    (draft) => {
      const before = draft.state.workloads.get(uid);
      if (before === undefined || before.removing) return;
      const after =
        replicas === null ? { ...before, version: before.version + 1 } : scaled(world, draft, before, replicas);
      draft.put(putWorkload(draft, after, before, "alice"));
    },
    () => () => true,
  );
}

function scaled(world: World, { state, now_ms }: Draft, before: WorkloadRow, replicas: number): WorkloadRow {
  const spec = specOf(world);
  const facts = { state, now_ms, limits: SIM_LIMITS, spec };
  const { without } = scale(facts, before, replicas, spec(before.spec_hash).exclusive);
  return { ...before, settings: { ...before.settings, replicas }, without };
}

function submit(world: World): void {
  const { people } = world.dice;
  const spec = { ...withDirectory(world.dice.company, randomSpec(people, "job")), origin: "run" as const };
  const decl: WorkloadDecl = {
    name: `j${people.int(0, 99)}`,
    kind: "job",
    spec,
    settings: randomSettings(people, "job", spec),
  };
  submitDecl(world, decl, people.hex(32));
}

export function submitDecl(world: World, decl: WorkloadDecl, uid: string): void {
  const who = {
    name: "alice",
    role: "user" as const,
    project: PROJECT,
    unix_user: "alice",
    accounts: [],
    token_id: "t",
  };
  send(
    world,
    `run ${decl.name}`,
    (draft) => {
      const store = world.server?.store;
      if (store === undefined) throw new RefusedError("unavailable", "the server is gone");
      return makeRun(draft, { decl, project: PROJECT, who, uid, history: store.history, spec: store.spec, stdin: null })
        .run;
    },
    (run) =>
      ({ state, ended_runs }) =>
        (state.runs.get(uid) ?? ended_runs.get(uid))?.run === run,
  );
}

function cancel(world: World): void {
  const runs = [...world.database.state.runs.values()].filter((run) => run.cancel === null);
  if (runs.length === 0) return;
  cancelUid(world, world.dice.people.pick(runs).uid);
}

export function cancelUid(world: World, uid: string): void {
  send(
    world,
    `cancel ${uid}`,
    (draft) => {
      const row = draft.state.runs.get(uid);
      if (row !== undefined) cancelRun(draft, row, "alice", null);
    },
    () =>
      ({ state }) => {
        const row = state.runs.get(uid);
        return row === undefined || row.cancel !== null || isFinal(row.state);
      },
  );
}

// ---- the day

/** Does one random act. */
function actOnce(world: World): void {
  const { people } = world.dice;
  const { state } = world.database;
  const app = someApp(world, state);
  const dice = people.next();
  if (dice < 0.3 || app === null)
    apply(world, declare(`a${people.int(0, 3)}`, sociable(world, randomApp(people, world.faults.exclusive))));
  else if (dice < 0.42) edit(world, app);
  else if (dice < 0.54) scaleOrRestart(world);
  else if (dice < 0.6) remove(world, app);
  else if (dice < 0.8) submit(world);
  else if (dice < 0.87) cancel(world);
  else if (dice < 0.92) {
    setNode(world, "drain", (node, now_ms) =>
      drained(node, "alice", now_ms, people.chance(0.3) ? now_ms + 30_000 : null, null),
    );
  } else if (dice < 0.95) testNode(world);
  else if (dice < 0.97) taint(world);
  else resume(world);
  const asked = asking(world);
  if (asked.length > 0 && people.chance(0.3)) answer(world, people.pick(asked));
}

/** Submits many short runs of one name at once, more than there is room for: some of them become heirs. */
function burst(world: World): void {
  const { bursts } = world.dice;
  const [cpu_milli, lives_ms] = [bursts.pick([500, 1_000]), bursts.pick([20, 300, 2_000, 4_000, 9_000])];
  const { request, ...rest } = randomSpec(bursts, "job");
  const command = { kind: "argv", argv: ["sim", "exit", String(lives_ms), bursts.chance(0.8) ? "0" : "1"] } as const;
  const small = { ...request, cpu_milli, memory_bytes: GIB, gpu: null };
  const spec = { ...rest, command, request: small, members: 1, origin: "run" as const };
  const settings = randomSettings(bursts, "job", spec);
  for (let n = bursts.int(8, 30); n > 0; n--)
    submitDecl(world, { name: BURST, kind: "job", spec, settings }, bursts.hex(32));
}

/** Lets bursts come to half of the worlds until they calm down. */
function beginBursts(world: World): void {
  const { bursts } = world.dice;
  world.schedule.in(bursts.wait(BURST_EVERY_MS), () => {
    if (world.calm) return;
    if (!world.wrongDatabase) burst(world);
    beginBursts(world);
  });
}

/** Lets people act until the world calms down. */
export function beginPeople(world: World): void {
  if (world.dice.bursts.chance(0.5)) beginBursts(world);
  actAgain(world);
}

function actAgain(world: World): void {
  world.schedule.in(world.dice.people.wait(world.faults.act_every_ms), () => {
    if (world.calm) return;
    if (!world.wrongDatabase) actOnce(world);
    actAgain(world);
  });
}
