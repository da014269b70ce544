// Route that shows what an apply would do now. The same code that applies computes it on a copy, which is thrown away.

import { applyRequest } from "../../wire/api/apps";
import { type PlanView, planView } from "../../wire/api/plans";
import { applyApp, type Applying } from "../work/apply";
import { findApp, workloadsOf } from "../work/apps";
import { requireRoom, withinReplicas } from "../work/require-room";
import { askNodes } from "../work/asking";
import { dryRun } from "../work/dry";
import { requireGrants, requireLeases } from "../access/grants";
import type { Principal } from "../access/auth";
import { wordingFor } from "../access/wording";
import type { Api } from "./api";
import { route } from "./route";
import { compareText } from "../../core/canonical";
import type { State } from "../../core/model/rows-state";
import { isWanted, slotKey, slotName } from "../../core/model/task";
import type { Blocked } from "../../core/pass/snapshot";
import { isToBeReplaced } from "../../core/plan/services";
import { tasksByNode, unmatchedOn } from "../views/node";
import { blockedView, opView } from "../views/plan";
import { applying } from "./apps";

export const PLAN_ROUTES = [
  route({
    method: "POST",
    path: "/v1/plan",
    body: applyRequest,
    answer: planView,
    summary:
      "What applying this spec would do: every change, every placement, everything that must wait. Changes nothing",
    async handle({ api, body, who, touch, link }): Promise<PlanView> {
      const wanted = applying(api, body, who, who.project);
      const { decl, project } = wanted;
      touch({ project }, `the app ${decl.app}`);
      requireGrants(who, decl.workloads);
      requireLeases(api.limits.lease_ms, decl.workloads);
      await askNodes(api, who.name, decl.workloads);
      const release = api.quotas.take("dry_runs", who.name, link.source);
      try {
        return await api.dryTurn(() => planned(api, wanted, who));
      } finally {
        release();
      }
    },
  }),
];

async function planned(api: Api, wanted: Applying, who: Principal): Promise<PlanView> {
  const { decl, project, user } = wanted;
  requireRoom(api, user);
  const before = findApp(api.store.state, project, decl.app);
  const { value, ops, blocked, notices, state } = await dryRun(api, user, (draft, members) =>
    withinReplicas(draft, members, (noted) => applyApp(noted, wanted)),
  );
  const wording = wordingFor(who, api.store);
  const app_uid = findApp(state, project, decl.app)?.uid;
  const own = app_uid === undefined ? new Set<string>() : ownedBy(app_uid, [api.store.state, state]);
  return {
    revision: before?.revision ?? 0,
    ops: ops.map((op) => opView(op, { state, own, wording })).filter((op) => op !== null),
    blocked: blocked.filter((one) => own.has(one.owner_uid)).map((one) => blockedView(one, { state, wording })),
    later: laterOf(state, own, blocked),
    changes: value.changes.map(({ fields, ...line }) => ({ ...line, fields: fields.map((field) => ({ ...field })) })),
    goes: [...value.goes],
    notices: [...new Set([...api.loop.notices(), ...notices, ...unmatched(api, state, own)])],
  };
}

/** Returns the uids of an app and of what is its own, before and after: what the plan removes is in the first only. */
const ownedBy = (app_uid: string, states: readonly State[]): Set<string> =>
  new Set([
    app_uid,
    ...states.flatMap((state) => [
      ...workloadsOf(state, app_uid).map(({ uid }) => uid),
      ...state.runs
        .values()
        .filter((run) => run.app_uid === app_uid)
        .map(({ uid }) => uid),
    ]),
  ]);

/** Returns the slots whose tasks a roll-out replaces in later passes: without those that wait, or have a new task. */
function laterOf(state: State, own: ReadonlySet<string>, blocked: readonly Blocked[]): string[] {
  const waits = new Set(blocked.map(({ owner_uid, slot }) => slotKey(owner_uid, slot)));
  const tasks = [...state.tasks.values()].filter((task) => own.has(task.owner_uid) && isWanted(task));
  const old = tasks.filter((task) => isToBeReplaced(state, task));
  const renewed = new Set(tasks.filter((task) => !old.includes(task)).map((one) => slotKey(one.owner_uid, one.slot)));
  return old
    .filter(({ owner_uid, slot }) => ![waits, renewed].some((slots) => slots.has(slotKey(owner_uid, slot))))
    .map((task) => slotName(task))
    .sort(compareText);
}

const NAMED = 5;

/** Returns a notice for each node that no longer matches tasks of these owners, which stay there to their end. */
function unmatched({ store }: Api, state: State, owners: ReadonlySet<string>): string[] {
  return [...tasksByNode(state)]
    .flatMap(([node_id, tasks]) => {
      const node = state.nodes.get(node_id);
      const own = tasks.filter(({ owner_uid }) => owners.has(owner_uid));
      const names = node === undefined ? [] : unmatchedOn(store, node, own);
      if (node === undefined || names.length === 0) return [];
      const said = names.slice(0, NAMED).join(", ") + (names.length > NAMED ? ` and ${names.length - NAMED} more` : "");
      return [`${node.name} no longer matches ${said}: what runs there stays to its end`];
    })
    .sort(compareText);
}
