// What people do: join machines, apply random specs, scale, restart, remove, run, cancel, drain, resume, forget. Each
// act is a transaction of the real server; what it answered is remembered, since it must hold from then on.

import type { AppRow, NodeRow, State } from "../../src/core/model";
import { withOrder, type NodeTesting } from "../../src/core/node-tests";
import type { AppDecl, WorkloadDecl } from "../../src/core/workload";
import { applyApp, findApp, putWorkload, removeWorkload, workloadsOf } from "../../src/server/apply";
import type { Context } from "../../src/server/context";
import { newOrder } from "../../src/server/node-testing";
import { cancelRun, makeRun } from "../../src/server/runs";
import { signCredential } from "../../src/server/credential";
import { drained, forgetNode, resumed, untested } from "../../src/server/node-changes";
import { RefusedError } from "../../src/server/refused";
import type { Draft } from "../../src/store/store";
import { identityOf, keyOf } from "./keys";
import type { Machine } from "./machine";
import { nodeRow } from "./nodes";
import { randomApp, randomSettings, randomSpec } from "./specs";
import { bootAgent } from "./processes";
import type { Ack, World } from "./world";

const PROJECT = "lab";
const LONGEST_TESTS_MS = 30_000;

/** Sends one change; a request whose server dies before the answer is not repeated here (see `twice`). */
function send<T>(
  world: World,
  what: string,
  transact: (draft: Draft) => T,
  holds: (value: T) => Ack["holds"],
  then: (value: T) => void = () => undefined,
): void {
  const { server } = world;
  if (server === null || server.owner.state === "dead") return;
  const key = world.dice.people.chance(0.3) ? world.dice.people.hex(16) : null;
  let first: string | null = null;
  const ask = (again: boolean): void =>
    world.host.enter(server.owner, () => {
      const { timeline } = server.store.state.cluster;
      const idempotency = key === null ? undefined : { principal: "alice", key, request_hash: what };
      server.store.commit("alice", transact, idempotency).then(
        ({ value, revision }) => {
          world.trace.note(`answered: ${what}`);
          const answer = JSON.stringify(value) ?? "";
          if (first !== null && first !== answer)
            world.serverWorld.failed(`I2: one effect a key: ${what}: ${first}, ${answer}`);
          first = answer;
          world.acks.push({ what, timeline, revision, holds: holds(value) });
          if (!again && key !== null) ask(true);
          else then(value);
        },
        (error: unknown) => {
          if (!(error instanceof RefusedError)) throw error;
          world.trace.note(`refused: ${what}: ${error.message}`);
        },
      );
    });
  ask(false);
}

// ---- nodes

/** Joins a machine, again if need be: a machine that was there before is bound to its node. */
export function joinMachine(world: World, machine: Machine): void {
  const { server } = world;
  if (server === null || server.owner.state !== "running" || machine.power !== "on" || world.wrongDatabase) {
    world.schedule.in(5_000, () => joinMachine(world, machine));
    return;
  }
  const { key, public_key } = keyOf(`${machine.id}/${machine.boots}/${world.lostDisks.has(machine.id)}`);
  const fresh = server.context.seed();
  world.host.enter(server.owner, () => {
    server.store
      .commit("agent", (draft) => {
        const known = draft.state.nodes.values().find((node) => node.fingerprint === machine.id);
        const { next_ordinal } = draft.state.cluster;
        const row: NodeRow =
          known === undefined
            ? nodeRow(fresh, machine, public_key, next_ordinal, order(server.context, "it joined", draft.now_ms))
            : withOrder({ ...known, public_key }, order(server.context, "it joined again", draft.now_ms));
        draft.put([{ table: "nodes", key: row.id, row }]);
        if (known === undefined) {
          draft.put([
            { table: "cluster", key: "cluster", row: { ...draft.state.cluster, next_ordinal: next_ordinal + 1 } },
          ]);
        }
        return row;
      })
      .then(
        ({ value }) => {
          world.trace.note(`${machine.id} joined as ${value.id.slice(0, 6)}`);
          world.nodes.set(value.id, machine);
          const { cluster_id } = server.store.state.cluster;
          const credential = signCredential(identityOf(cluster_id), {
            cluster_id,
            node_id: value.id,
            name: machine.id,
            public_key,
            fingerprint: machine.id,
          });
          machine.disk.identity = { credential, key };
          bootAgent(world, machine);
        },
        (error: unknown) => {
          throw error;
        },
      );
  });
}

const order = (context: Context, why: string, at_ms: number): NodeTesting =>
  newOrder(context, "default", { why, by: "alice", at_ms });

function orderTests(world: World, id: string, name: string, why: string): void {
  const { server } = world;
  if (server === null) return;
  send(
    world,
    `test ${name}`,
    (draft) => {
      const row = draft.state.nodes.get(id);
      if (row === undefined) return;
      const testing = order(server.context, why, draft.now_ms);
      draft.put([{ table: "nodes", key: id, row: withOrder(row, testing) }]);
    },
    () => () => true,
  );
}

/** `orch node test NODE`, and now and then `orch node resume NODE --skip-tests`. */
function testNode(world: World): void {
  const nodes = [...world.database.state.nodes.values()];
  if (nodes.length === 0) return;
  if (world.dice.people.chance(0.3)) {
    setNode(world, "skip the tests of", (node) => {
      world.ledger.skipped(node.id);
      return untested(node);
    });
    return;
  }
  // Who does not see the answer at once asks again.
  const asks = world.dice.people.chance(0.5) ? 2 : 1;
  const { id, name } = world.dice.people.pick(nodes);
  for (let n = 0; n < asks; n++) {
    world.schedule.in(n === 0 ? 0 : world.dice.people.int(100, LONGEST_TESTS_MS), () =>
      orderTests(world, id, name, "asked for"),
    );
  }
}

/** Whatever failed its tests while things went wrong is tested again. */
export function testAgain(world: World): void {
  const { server } = world;
  if (server === null) return;
  for (const { id, name, admission } of server.store.state.nodes.values()) {
    if (admission !== "quarantined") continue;
    orderTests(world, id, name, "it was mended");
  }
}

function setNode(world: World, what: string, change: (node: NodeRow, now_ms: number) => NodeRow): void {
  const nodes = [...world.database.state.nodes.values()];
  if (nodes.length === 0) return;
  const { id, name } = world.dice.people.pick(nodes);
  send(
    world,
    `${what} ${name}`,
    (draft) => {
      const node = draft.state.nodes.get(id);
      if (node !== undefined) draft.put([{ table: "nodes", key: id, row: change(node, draft.now_ms) }]);
    },
    () => () => true,
  );
}

// ---- apps and runs

const declare = (name: string, workloads: readonly WorkloadDecl[]): AppDecl => ({
  app: name,
  project: PROJECT,
  workloads,
});

function apply(world: World, decl: AppDecl): void {
  const { people } = world.dice;
  const fresh = (): string => people.hex(32);
  const text = JSON.stringify(decl);
  send(
    world,
    `apply ${decl.app}`,
    (draft) => {
      const spec = world.server?.store.spec;
      if (spec === undefined) throw new RefusedError("unavailable", "the server is gone");
      applyApp(draft, { decl, project: PROJECT, text, revision: null, user: "alice", fresh, spec });
      return findApp(draft.state, PROJECT, decl.app)?.uid ?? "";
    },
    (uid) =>
      ({ state, graves }) =>
        state.apps.has(uid) || graves.size > 0,
  );
}

/** What an app is now, as somebody would have it in a file. */
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
  const workloads = declOf(world, app).map((decl): WorkloadDecl => {
    if (people.chance(0.4)) return decl;
    const spec = people.chance(0.5) ? randomSpec(people, decl.kind) : decl.spec;
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
  apply(world, declare(app.name, workloads));
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

function scaleOrRestart(world: World, app: AppRow): void {
  const { people } = world.dice;
  const services = workloadsOf(world.database.state, app.uid).filter(
    ({ kind, removing }) => kind === "service" && !removing,
  );
  if (services.length === 0) return;
  const { uid, name } = people.pick(services);
  const replicas = people.chance(0.6) ? people.int(0, 4) : null;
  send(
    world,
    replicas === null ? `restart ${app.name}.${name}` : `scale ${app.name}.${name}=${replicas}`,
    (draft) => {
      const before = draft.state.workloads.get(uid);
      if (before === undefined || before.removing) return;
      const after =
        replicas === null
          ? { ...before, version: before.version + 1 }
          : { ...before, settings: { ...before.settings, replicas } };
      draft.put(putWorkload(after, before, "alice", draft.now_ms));
    },
    () => () => true,
  );
}

function submit(world: World): void {
  const { people } = world.dice;
  const spec = { ...randomSpec(people, "job"), origin: "run" as const };
  const decl: WorkloadDecl = {
    name: `j${people.int(0, 99)}`,
    kind: "job",
    spec,
    settings: randomSettings(people, "job", spec),
  };
  const uid = people.hex(32);
  const who = { name: "alice", role: "user" as const, project: PROJECT, unix_user: "alice", token_id: "t" };
  send(
    world,
    `run ${decl.name}`,
    (draft) => {
      const history = world.server?.store.history;
      if (history === undefined) throw new RefusedError("unavailable", "the server is gone");
      return makeRun(draft, { decl, project: PROJECT, who, uid, history }).run;
    },
    (run) =>
      ({ state, ended_runs }) =>
        (state.runs.get(uid) ?? ended_runs.get(uid))?.run === run,
  );
}

function cancel(world: World): void {
  const runs = [...world.database.state.runs.values()].filter((run) => run.cancel === null);
  if (runs.length === 0) return;
  const { uid, run } = world.dice.people.pick(runs);
  send(
    world,
    `cancel ${run}`,
    (draft) => {
      const row = draft.state.runs.get(uid);
      if (row !== undefined) cancelRun(draft, row, "alice", null);
    },
    () =>
      ({ state }) =>
        state.runs.get(uid)?.cancel !== null,
  );
}

// ---- the day

/** One random act. */
function actOnce(world: World): void {
  const { people } = world.dice;
  const { state } = world.database;
  const app = someApp(world, state);
  const dice = people.next();
  if (dice < 0.3 || app === null) apply(world, declare(`a${people.int(0, 3)}`, randomApp(people)));
  else if (dice < 0.42) edit(world, app);
  else if (dice < 0.54) scaleOrRestart(world, app);
  else if (dice < 0.6) remove(world, app);
  else if (dice < 0.8) submit(world);
  else if (dice < 0.87) cancel(world);
  else if (dice < 0.92) {
    setNode(world, "drain", (node, now_ms) =>
      drained(node, "alice", now_ms, people.chance(0.3) ? now_ms + 30_000 : null, null),
    );
  } else if (dice < 0.96) testNode(world);
  else resume(world);
}

function resume(world: World): void {
  setNode(world, "resume", resumed);
}

/** People go on acting until the world calms down. */
export function beginPeople(world: World): void {
  world.schedule.in(world.dice.people.wait(world.faults.act_every_ms), () => {
    if (world.calm) return;
    if (!world.wrongDatabase) actOnce(world);
    beginPeople(world);
  });
}

/** Every node that drains is put back to use. */
export function resumeAll(world: World): void {
  for (const { id, name } of world.database.state.nodes.values()) {
    send(
      world,
      `resume ${name}`,
      (draft) => {
        const node = draft.state.nodes.get(id);
        if (node !== undefined) draft.put([{ table: "nodes", key: id, row: resumed(node) }]);
      },
      () => () => true,
    );
  }
}

/** `orch node forget NODE --fenced`: an operator vouches that the machine is off. */
export function forget(world: World, node_id: string): void {
  const name = world.nodes.get(node_id)?.id ?? node_id;
  world.givenUp.add(node_id);
  send(
    world,
    `forget ${name} --fenced`,
    (draft) => {
      const node = draft.state.nodes.get(node_id);
      const { store, context } = world.server ?? {};
      if (node === undefined || store === undefined || context === undefined) return;
      forgetNode(draft, node, true, {
        now_ms: draft.now_ms,
        revision: draft.revision,
        limits: context.limits,
        seed: context.seed(),
        hasEnded: store.history.hasEnded,
        hasGrave: store.history.hasGrave,
      });
    },
    () => () => true,
  );
}

/** A restored server is told of nodes that will not come: only of machines that are really off. */
export function giveUpMissing(world: World): void {
  for (const id of world.database.state.cluster.recovering ?? []) {
    if (world.nodes.get(id)?.power !== "on") forget(world, id);
  }
}
