// Routes for nodes and their cards, and for what operators do with them.

import { compareText } from "../../core/canonical";
import { z } from "zod";
import { shortId } from "../../core/model/task";
import { leftOn } from "../../core/pass/drain";
import type { NodeRow } from "../../core/model/rows-node";
import type { Role } from "../../core/model/rows-state";
import { readLabelKey, readLabelValue } from "../../spec/grammar/labels";
import {
  approveRequest,
  drainRequest,
  forgetRequest,
  labelRequest,
  nodeView,
  taintRequest,
} from "../../wire/api/nodes";
import { doneAnswer, list } from "../../wire/api/answers";
import { drainProgress } from "../../wire/api/drains";
import { testsView } from "../../wire/node-tests";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Draft } from "../../store/store";
import { wordingFor } from "../access/wording";
import type { Api } from "./api";
import { drained, forgetNode, revokeKey, putNode, relabelled, retainted } from "../nodes/node-changes";
import { requireNode } from "../work/resolve";
import { approveNode, refuseNode } from "../nodes/approval";
import { intakeContext } from "../nodes/intake-context";
import { newOrder, orderTests, resumeNode } from "../nodes/node-testing";
import { flag, page, pageOf } from "../http/query";
import { RefusedError } from "../refused";
import { FORGOTTEN } from "../agents/hub";
import { route, type Ask } from "./route";
import { nodeView as viewOf, testsView as testsOf, tasksByNode } from "../views/node";

const LOOK = [
  route({
    method: "GET",
    path: "/v1/nodes",
    answer: list("nodes", nodeView),
    summary: "All nodes",
    query: page,
    handle({ api, query, who }) {
      const byNode = tasksByNode(api.store.state);
      const { items, next } = pageOf(query, sorted(api), null);
      return {
        nodes: items.map((node) =>
          viewOf(node, byNode.get(node.id) ?? [], api.loop.heardOf(node.id), who.role, api.store),
        ),
        next,
      };
    },
  }),
  route({
    method: "GET",
    path: "/v1/nodes/{node}",
    answer: nodeView,
    summary: "One node, by its name or the start of its id",
    handle: ({ api, params, who }) => shown(api, requireNode(api.store.state, params.node), who.role),
  }),
  route({
    method: "GET",
    path: "/v1/nodes/{node}/drain",
    answer: drainProgress,
    summary: "What is still on a node that drains, and what each of it waits for",
    handle({ api, params, who }): z.infer<typeof drainProgress> {
      const { state } = api.store;
      const node = requireNode(state, params.node);
      const wording = wordingFor(who, api.store);
      const left = leftOn(state, node, api.loop.blocked(), api.store.now()).map(({ uid, why, ...one }) => ({
        ...one,
        task_id: shortId(uid),
        why: wording(why, state.tasks.get(uid)),
      }));
      const { state: shownAs, drain } = shown(api, node, "viewer");
      return { node: node.name, state: shownAs, drain, left };
    },
  }),
];

const TESTS = [
  route({
    method: "GET",
    path: "/v1/nodes/{node}/tests",
    answer: list("tests", testsView),
    summary: "The tests of a node, newest first",
    query: page,
    handle({ api, params, query }) {
      const { id } = requireNode(api.store.state, params.node);
      const { items, next } = pageOf(query, api.store.history.nodeTests(id, TESTS_SHOWN), null);
      return { tests: items.map(testsOf), next };
    },
  }),
];

/** The most tests that are shown: as many as the history keeps of a node. */
const TESTS_SHOWN = 50;

const sorted = (api: Api): NodeRow[] =>
  api.store.state.nodes
    .values()
    .toArray()
    .sort((a, b) => compareText(a.name, b.name));

function shown(api: Api, node: NodeRow, role: Role): z.infer<typeof nodeView> {
  const tasks = api.store.state.tasks
    .values()
    .filter((task) => task.node_id === node.id)
    .toArray();
  const view = viewOf(node, tasks, api.loop.heardOf(node.id), role, api.store);
  const step = view.testing === null ? null : api.sessions.stepOf(node.id, view.testing.id);
  return view.testing === null ? view : { ...view, testing: { ...view.testing, step } };
}

/** Changes a node in one transaction and returns its view. */
const change = (
  { api, params, commit, who }: Pick<Ask<"node", unknown, unknown>, "api" | "params" | "commit" | "who">,
  transact: (draft: Draft, node: NodeRow) => NodeRow,
): Promise<z.infer<typeof nodeView>> =>
  commit((draft) => shown(api, transact(draft, requireNode(draft.state, params.node)), who.role));

const CHANGE = [
  route({
    method: "POST",
    path: "/v1/nodes/{node}/drain",
    body: drainRequest,
    answer: nodeView,
    summary:
      "Gives the node no new work and moves away what can move; at `deadline_ms` (a Unix time) the rest is stopped",
    handle: (ask) =>
      change(ask, (draft, node) =>
        putNode(
          draft,
          node,
          drained(node, ask.who.name, draft.now_ms, ask.body.deadline_ms, ask.body.reason),
          "drained",
          ask.body.reason ?? "",
        ),
      ),
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{node}/resume",
    query: z.object({ skip_tests: flag.optional().describe("takes a quarantined node as it is") }),
    answer: nodeView,
    summary:
      "Lets a drained node take work again, also one that said that it leaves; a quarantined one is tested first, " +
      "unless `skip_tests` takes it as it is",
    async handle(ask) {
      const { api, params, query, who } = ask;
      const { leaving, id } = requireNode(api.store.state, params.node);
      const skip = query.skip_tests === true;
      const view = await change(ask, (draft, node) => resumeNode(api, draft, node, who.name, skip));
      if (leaving !== null) api.sessions.keep(id);
      return view;
    },
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{node}/test",
    answer: nodeView,
    summary: "Has the node tested; it gets no new work until it has passed",
    handle: (ask) =>
      change(ask, (draft, node) => {
        const row = orderTests(ask.api, draft, node, `asked for by ${ask.who.name}`, ask.who.name);
        draft.put([{ table: "nodes", key: row.id, row }]);
        return row;
      }),
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{node}/label",
    body: labelRequest,
    answer: nodeView,
    summary: "Sets and removes labels",
    handle: (ask) =>
      change(ask, (draft, node) => {
        const { set, remove } = ask.body;
        for (const [key, value] of Object.entries(set)) requireLawful(key, value);
        const row = relabelled(node, set, remove);
        if (Object.keys(row.labels).length > HOUSE_LIMITS.label_count) {
          throw new RefusedError("bad_request", `a node has at most ${HOUSE_LIMITS.label_count} labels`);
        }
        return putNode(
          draft,
          node,
          row,
          "labelled",
          [...Object.entries(set).map((pair) => pair.join("=")), ...remove.map((key) => `${key}-`)].join(" "),
        );
      }),
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{node}/taint",
    body: taintRequest,
    answer: nodeView,
    summary: "Sets and removes taints",
    handle: (ask) =>
      change(ask, (draft, node) => {
        const { set, remove } = ask.body;
        for (const { key, value } of set) requireLawful(key, value);
        if (set.length > HOUSE_LIMITS.label_count) throw new RefusedError("bad_request", "these are too many taints");
        return putNode(
          draft,
          node,
          retainted(node, set, remove),
          "tainted",
          [...set.map(({ key, value, effect }) => `${key}=${value}:${effect}`), ...remove.map((key) => `${key}-`)].join(
            " ",
          ),
        );
      }),
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{node}/forget",
    body: forgetRequest,
    answer: doneAnswer,
    summary:
      "Removes a node; `fenced` vouches that the machine is off, so that its tasks are lost on proof; `revoke` puts " +
      "out a connected one as well, and refuses its key from then on",
    async handle({ api, who, params, body, commit }): Promise<z.infer<typeof doneAnswer>> {
      const { id } = requireNode(api.store.state, params.node);
      const done = await commit((draft) => {
        const node = requireNode(draft.state, params.node);
        if (body.fenced && !body.revoke && api.sessions.isOpen(id)) requireSilent(node);
        if (body.revoke) revokeKey(draft, node);
        forgetNode(draft, node, who.name, body.fenced, intakeContext(api, draft));
        return { revision: draft.revision };
      });
      api.sessions.close(id, FORGOTTEN);
      return done;
    },
  }),
];

/** Throws RefusedError for what is no label or taint by the grammar in which specs name it. */
function requireLawful(key: string, value: string): void {
  for (const read of [readLabelKey(key), readLabelValue(value)]) {
    if (read.is === "invalid") throw new RefusedError("bad_request", read.message, read.hint);
  }
}

const ADMIT = [
  route({
    method: "POST",
    path: "/v1/nodes/{node}/approve",
    body: approveRequest,
    answer: nodeView,
    summary: "Lets the key that waits speak for the node; `key` refuses if another one waits by now",
    async handle(ask) {
      const { api, params, body, who } = ask;
      const { id } = requireNode(api.store.state, params.node);
      const view = await change(ask, (draft, node) =>
        approveNode(draft, node, body.key, (pool, why) =>
          newOrder(api, pool, { why, by: who.name, at_ms: draft.now_ms }),
        ),
      );
      // An agent that still speaks for the node does so with the key before.
      api.sessions.close(id, REPLACED);
      return view;
    },
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{node}/refuse",
    answer: doneAnswer,
    summary: "Turns away the key that waits to speak for the node; a node that only waits is removed",
    handle: ({ params, commit }) =>
      commit((draft) => {
        refuseNode(draft, requireNode(draft.state, params.node));
        return { revision: draft.revision };
      }),
  }),
];

const REPLACED = {
  code: "identity_replaced",
  message: "an operator has approved another key for this node",
  hint: "use the data directory of that key",
};

export const NODE_ROUTES = [...LOOK, ...TESTS, ...CHANGE, ...ADMIT];

/**
 * Throws RefusedError for a connected node: it is not off, whatever the operator vouched for. A mistyped name would
 * otherwise make tasks run twice.
 */
function requireSilent({ name, contact }: NodeRow): void {
  if (contact !== "connected") return;
  const hint =
    `Drain it first (orch node drain ${name}), or switch it off and wait until it is unreachable; if it is not to be ` +
    `trusted any more: orch node forget ${name} --fenced --revoke`;
  throw new RefusedError("conflict", `${name} is connected, so it is not off`, hint);
}
