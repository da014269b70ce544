// Nodes that fell silent together: it is the network, until one of them stays away alone for long enough.

import { expect, test } from "bun:test";
import type { NodeRow } from "../../../src/core/model/rows-node";
import { plan } from "../../../src/core/plan/plan";
import { SECOND_MS, type Ms } from "../../../src/core/units";
import { buildNode, buildRun, buildSnapshot, buildState, buildTask, buildWorkload, NOW_MS } from "../../support/build";

const NO_ROOM = { cpu_milli: 0, memory_bytes: 0, disk_bytes: 0, countables: {} };
const web = buildWorkload("shop", "web", "spec", { settings: { replicas: 1 } });

/** What is done about a replica on n1, which is silent for 40 s, when n2 was heard again so long ago. */
function opsWith(n2: Partial<NodeRow>, fell_ms?: Ms): string[] {
  const nodes = [buildNode("n1", { contact: "unreachable" }), buildNode("n2", n2), buildNode("n3")];
  const state = buildState({ nodes, workloads: [web], tasks: [buildTask(web, "n1")] });
  const snapshot = buildSnapshot(state, { silent_ms: { n1: 40 * SECOND_MS } });
  const heard = { connected: true, silent_ms: 0, ...(fell_ms === undefined ? {} : { fell_ms }) };
  const contacts = new Map([...snapshot.contacts, ["n2", heard] as const]);
  const { ops } = plan(fell_ms === undefined ? snapshot : { ...snapshot, contacts });
  return ops.map(({ op }) => op).toSorted();
}

test("a node whose change of contact is too large for this pass gets nothing in it", () => {
  const job = buildRun(1, "spec");
  const facts = { kernel: "m".repeat(4_300_000) };
  const big = { ...buildNode("a", { contact: "unreachable", facts }), capacity: NO_ROOM };
  const nodes = [big, buildNode("b", { contact: "unreachable" })];
  const { ops } = plan(buildSnapshot(buildState({ cluster: { next_run: 2 }, nodes, runs: [job] })));
  expect(ops.map(({ op }) => op)).toEqual(["node"]);
});

const backFor = (age_ms: Ms): Partial<NodeRow> => ({ contact: "connected", contact_ms: NOW_MS - age_ms });

test("a node that is silent alone is replaced", () => {
  expect(opsWith({})).toEqual(["place", "write_off"]);
});
test("nothing is replaced when another node of the same silence has just come back", () => {
  expect(opsWith(backFor(SECOND_MS))).toEqual([]);
});
test("a node that has come back counts where its silence began with that of the silent one, and only there", () => {
  const back = backFor(SECOND_MS);
  for (const seconds of [25, 40, 55]) expect(opsWith(back, seconds * SECOND_MS)).toEqual([]);
  for (const seconds of [24, 56, 300]) expect(opsWith(back, seconds * SECOND_MS)).toEqual(["place", "write_off"]);
});
test("it is replaced once that node has been back for longer than a replacement waits", () => {
  expect(opsWith(backFor(31 * SECOND_MS))).toEqual(["place", "write_off"]);
});
test("a node that has only just joined is no sign of the network", () => {
  const joined_ms = NOW_MS - SECOND_MS;
  const n2 = { contact: "lost" as const, contact_ms: joined_ms, joined_ms };
  expect(opsWith(n2)).toEqual(["node", "place", "write_off"]);
  const state = buildState({ nodes: [buildNode("n2", n2)] });
  const { ops } = plan(buildSnapshot(state));
  expect(ops).toMatchObject([{ op: "node", node: { contact: "connected" }, why: "heard for the first time" }]);
  const [op] = ops;
  expect(opsWith(op?.op === "node" ? op.node : {})).toEqual(["place", "write_off"]);
});
test("the plan looks again when that time is over", () => {
  const nodes = [
    buildNode("n1", { contact: "unreachable" }),
    buildNode("n2", backFor(25 * SECOND_MS)),
    buildNode("n3"),
  ];
  const state = buildState({ nodes, workloads: [web], tasks: [buildTask(web, "n1")] });
  const { wake_at_ms } = plan(buildSnapshot(state, { silent_ms: { n1: 40 * SECOND_MS } }));
  expect(wake_at_ms).toBe(NOW_MS + 5 * SECOND_MS);
});
