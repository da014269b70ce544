// What operators do with machines: let them join, test them, resume them and have them forgotten.

import type { NodeRow } from "../../src/core/model/rows-node";
import type { NodeTesting } from "../../src/core/model/node-tests";
import { TAINT_EFFECTS } from "../../src/core/model/workload";
import { withOrder } from "../../src/core/nodes/tests";
import type { Context } from "../../src/server/context";
import type { Draft } from "../../src/store/store";
import { keySinceMs, signCredential } from "../../src/server/access/identity";
import { intakeContext } from "../../src/server/nodes/intake-context";
import { forgetNode, resumed, retainted, untested } from "../../src/server/nodes/node-changes";
import { putNewNode } from "../../src/server/nodes/node-row";
import { newOrder } from "../../src/server/nodes/node-testing";
import { send } from "./asking";
import { identityOf, keyOf } from "../support/keys";
import type { Machine } from "./machine";
import { nodeRow } from "./nodes";
import { bootAgent } from "./processes";
import type { World } from "./world";

const LONGEST_TESTS_MS = 30_000;
const JOIN_AGAIN_MS = 5_000;

/** Lets a machine join, repeatedly if need be. A machine that was there before is bound to its node. */
export function joinMachine(world: World, machine: Machine): void {
  const { server } = world;
  if (machine.disk.identity !== null) return;
  // The request is repeated until there is an answer, since the server may die meanwhile.
  world.schedule.in(JOIN_AGAIN_MS, () => joinMachine(world, machine));
  if (server === null || server.owner.state !== "running" || machine.power !== "on" || world.wrongDatabase) return;
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
            : withOrder(
                { ...known, public_key, rebound: reboundOf(draft, known, public_key, machine) },
                order(server.context, "it joined again", draft.now_ms),
              );
        if (known === undefined) putNewNode(draft, row);
        else draft.put([{ table: "nodes", key: row.id, row }]);
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
            since_ms: keySinceMs(value),
            pool: null,
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

/** What an operator's approval notes: this key is new on this boot. */
const reboundOf = (
  { revision, now_ms }: Draft,
  known: NodeRow,
  key: string,
  { boot_id }: Machine,
): NodeRow["rebound"] =>
  known.public_key === key ? known.rebound : { revision, boot_id, at_ms: Math.max(now_ms, keySinceMs(known) + 1) };

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

/** Acts out `orch node test NODE`, and now and then `orch node resume NODE --skip-tests`. */
export function testNode(world: World): void {
  const nodes = [...world.database.state.nodes.values()];
  if (nodes.length === 0) return;
  if (world.dice.people.chance(0.3)) {
    setNode(world, "skip the tests of", (node) => {
      world.ledger.skipped(node.id);
      return untested(node);
    });
    return;
  }
  // Somebody who does not see the answer at once asks again.
  const asks = world.dice.people.chance(0.5) ? 2 : 1;
  const { id, name } = world.dice.people.pick(nodes);
  for (let n = 0; n < asks; n++) {
    world.schedule.in(n === 0 ? 0 : world.dice.people.int(100, LONGEST_TESTS_MS), () =>
      orderTests(world, id, name, "asked for"),
    );
  }
}

/** Tests every node again that failed its tests while faults happened. */
export function testAgain(world: World): void {
  const { server } = world;
  if (server === null) return;
  for (const { id, name, admission } of server.store.state.nodes.values()) {
    if (admission !== "quarantined") continue;
    orderTests(world, id, name, "it was mended");
  }
}

export function setNode(world: World, what: string, change: (node: NodeRow, now_ms: number) => NodeRow): void {
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

export function resume(world: World): void {
  setNode(world, "resume", resumed);
}

/** Taints a node, or takes its taints away. Only `no_execute` may stop what runs there. */
export function taint(world: World): void {
  const { people } = world.dice;
  const effect = people.pick(TAINT_EFFECTS);
  const off = people.chance(0.3);
  setNode(world, off ? "untaint" : `taint ${effect}`, (node) =>
    off ? retainted(node, [], ["x"]) : retainted(node, [{ key: "x", value: "", effect }], []),
  );
}

/** Resumes every draining node, and takes all taints away. */
export function resumeAll(world: World): void {
  for (const { id, name } of world.database.state.nodes.values()) {
    send(
      world,
      `resume ${name}`,
      (draft) => {
        const node = draft.state.nodes.get(id);
        if (node === undefined) return;
        draft.put([{ table: "nodes", key: id, row: retainted(resumed(node, draft.now_ms), [], ["x"]) }]);
      },
      () => () => true,
    );
  }
}

/** Acts out `orch node forget NODE --fenced`: an operator vouches that the machine is off. */
export function forget(world: World, node_id: string): void {
  const name = world.nodes.get(node_id)?.id ?? node_id;
  world.givenUp.add(node_id);
  send(
    world,
    `forget ${name} --fenced`,
    (draft) => {
      const node = draft.state.nodes.get(node_id);
      const { context } = world.server ?? {};
      if (node === undefined || context === undefined) return;
      forgetNode(draft, node, "alice", true, intakeContext(context, draft));
    },
    () => () => true,
  );
}

/** Returns whether a node will not return: its machine is off, or has joined as another node since. */
export function isMissing(world: World, node_id: string): boolean {
  const machine = world.nodes.get(node_id);
  const identity = machine?.disk.identity ?? null;
  return machine?.power !== "on" || (identity !== null && identity.credential.node_id !== node_id);
}

/** Tells a restored server which of the awaited nodes will not come. */
export function giveUpMissing(world: World): void {
  for (const id of world.database.state.cluster.recovering ?? []) if (isMissing(world, id)) forget(world, id);
}
