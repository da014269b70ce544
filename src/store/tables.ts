// The database as drizzle tables: the rows of core/model field by field, nested values as JSON. scripts/migrations.ts
// makes the migrations from this file and adds STRICT. The checks of task and run states come from the tables of
// core/model/lifecycle.

import { sql } from "drizzle-orm";
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { ArrayRun, ElementBatch } from "../core/model/array";
import type { EndCause } from "../core/model/end";
import type { NodeDevice } from "../core/model/device";
import type { Drain, Leaving, NodeFacts, NodeFlags, Orphan, PendingKey, Rebinding } from "../core/model/rows-node";
import { type Admission, type Contact, type Intent, isFinal, RUN, type RunState, TASK } from "../core/model/lifecycle";
import { type JoinGrant, type Role, ROLES } from "../core/model/rows-state";
import type { RunAfter, RunRow, SlotRow, TaskEnd, WorkloadRow } from "../core/model/rows-work";
import type { Observed, StopOrder, TaskRow } from "../core/model/rows-task";
import type { Amounts, Promised } from "../core/model/promised";
import type { JudgedResult, NodeTesting, NodeTests } from "../core/model/node-tests";
import { type InputRef, KINDS, type Kind, type Settings, type Taint, type TaskSpec } from "../core/model/workload";

const json = <T>(name: string) => text(name, { mode: "json" }).$type<T>();
const flag = (name: string) => integer(name, { mode: "boolean" });

/** Makes a check that a column, or a JSON path in it, holds one of these words. */
function oneOf(name: string, expression: string, words: readonly string[]) {
  return check(name, sql.raw(`${expression} in (${words.map((word) => `'${word}'`).join(", ")})`));
}

const TASK_STATES = Object.keys(TASK) as (keyof typeof TASK)[];
const RUN_STATES = Object.keys(RUN) as (keyof typeof RUN)[];
const ADMISSIONS = ["joining", "testing", "ready", "quarantined"] satisfies Admission[];
const INTENTS = ["schedulable", "draining"] satisfies Intent[];
const CONTACTS = ["connected", "unreachable", "lost"] satisfies Contact[];
const DESIRED = ["prepare", "run", "stop"] satisfies TaskRow["desired"][];

/** One row. Every batch checks and raises its revision. */
export const cluster = sqliteTable(
  "cluster",
  {
    key: text("key").primaryKey(),
    cluster_id: text("cluster_id").notNull(),
    timeline: text("timeline").notNull(),
    epoch: integer("epoch").notNull(),
    revision: integer("revision").notNull(),
    next_run: integer("next_run").notNull(),
    next_ordinal: integer("next_ordinal").notNull(),
    at_ms: integer("at_ms").notNull(),
    recovering: json<readonly string[]>("recovering"),
  },
  () => [oneOf("cluster_one", `"key"`, ["cluster"])],
);

/** The machine that this file belongs to. A copy on another machine is not the cluster. */
export const home = sqliteTable(
  "home",
  {
    key: text("key").primaryKey(),
    host: text("host"),
  },
  () => [oneOf("home_one", `"key"`, ["home"])],
);

export const nodes = sqliteTable(
  "nodes",
  {
    id: text("id").primaryKey(),
    name: text("name").notNull(),
    ordinal: integer("ordinal").notNull(),
    public_key: text("public_key").notNull(),
    fingerprint: text("fingerprint").notNull(),
    pool: text("pool").notNull(),
    labels: json<Readonly<Record<string, string>>>("labels").notNull(),
    taints: json<readonly Taint[]>("taints").notNull(),
    admission: text("admission").$type<Admission>().notNull(),
    intent: text("intent").$type<Intent>().notNull(),
    contact: text("contact").$type<Contact>().notNull(),
    contact_ms: integer("contact_ms").notNull(),
    drain: json<Drain>("drain"),
    leaving: json<Leaving>("leaving"),
    flags: json<NodeFlags>("flags"),
    reason: text("reason"),
    boot_id: text("boot_id").notNull(),
    agent_version: text("agent_version").notNull(),
    facts: json<NodeFacts>("facts").notNull(),
    capacity: json<Amounts>("capacity").notNull(),
    devices: json<readonly NodeDevice[]>("devices").notNull(),
    orphans: json<readonly Orphan[]>("orphans").notNull(),
    joined_ms: integer("joined_ms").notNull(),
    testing: json<NodeTesting>("testing"),
    tests: json<NodeTests>("tests"),
    joined_by: text("joined_by"),
    pending: json<PendingKey>("pending"),
    rebound: json<Rebinding>("rebound"),
    renewed_ms: integer("renewed_ms"),
  },
  () => [
    oneOf("nodes_admission", `"admission"`, ADMISSIONS),
    oneOf("nodes_intent", `"intent"`, INTENTS),
    oneOf("nodes_contact", `"contact"`, CONTACTS),
  ],
);

export const apps = sqliteTable(
  "apps",
  {
    uid: text("uid").primaryKey(),
    project: text("project").notNull(),
    name: text("name").notNull(),
    text: text("text").notNull(),
    revision: integer("revision").notNull(),
    changed_by: text("changed_by").notNull(),
    changed_ms: integer("changed_ms").notNull(),
    removing: flag("removing").notNull(),
  },
  (table) => [uniqueIndex("apps_name").on(table.project, table.name)],
);

export const workloads = sqliteTable(
  "workloads",
  {
    uid: text("uid").primaryKey(),
    app_uid: text("app_uid").notNull(),
    project: text("project").notNull(),
    app: text("app").notNull(),
    name: text("name").notNull(),
    kind: text("kind").$type<Kind>().notNull(),
    version: integer("version").notNull(),
    spec_hash: text("spec_hash").notNull(),
    settings: json<Settings>("settings").notNull(),
    user: text("user").notNull(),
    last_run: json<NonNullable<WorkloadRow["last_run"]>>("last_run"),
    removing: flag("removing").notNull(),
    wanted: json<NonNullable<WorkloadRow["wanted"]>>("wanted"),
    without: json<NonNullable<WorkloadRow["without"]>>("without"),
  },
  () => [oneOf("workloads_kind", `"kind"`, KINDS)],
);

const runColumns = () => ({
  uid: text("uid").primaryKey(),
  run: integer("run").notNull(),
  name: text("name").notNull(),
  project: text("project").notNull(),
  user: text("user").notNull(),
  app_uid: text("app_uid"),
  app: text("app"),
  workload_uid: text("workload_uid"),
  version: integer("version").notNull(),
  spec_hash: text("spec_hash").notNull(),
  settings: json<Settings>("settings").notNull(),
  stdin: json<InputRef>("stdin"),
  state: text("state").$type<RunState>().notNull(),
  reason: text("reason"),
  after: json<readonly RunAfter[]>("after").notNull(),
  cancel: json<NonNullable<RunRow["cancel"]>>("cancel"),
  created_ms: integer("created_ms").notNull(),
  started_ms: integer("started_ms"),
  finished_ms: integer("finished_ms"),
  exit_code: integer("exit_code"),
  signal: text("signal"),
  cause: text("cause").$type<EndCause>(),
  waited_for: text("waited_for"),
  array: json<ArrayRun>("array"),
});

export const runs = sqliteTable("runs", runColumns(), (table) => [
  uniqueIndex("runs_run").on(table.run),
  oneOf("runs_state", `"state"`, RUN_STATES),
]);

export const slots = sqliteTable("slots", {
  key: text("key").primaryKey(),
  owner_uid: text("owner_uid").notNull(),
  slot: integer("slot").notNull(),
  attempts: integer("attempts").notNull(),
  streak: integer("streak").notNull(),
  failed: integer("failed").notNull(),
  rejected: integer("rejected").notNull(),
  lost: integer("lost").notNull(),
  not_before_ms: integer("not_before_ms").notNull(),
  avoid: json<SlotRow["avoid"]>("avoid").notNull(),
  ends: json<readonly TaskEnd[]>("ends").notNull(),
});

const taskColumns = () => ({
  uid: text("uid").primaryKey(),
  owner_uid: text("owner_uid").notNull(),
  app_uid: text("app_uid"),
  project: text("project").notNull(),
  user: text("user").notNull(),
  app: text("app"),
  workload: text("workload").notNull(),
  kind: text("kind").$type<Kind>().notNull(),
  run: integer("run"),
  version: integer("version").notNull(),
  spec_hash: text("spec_hash").notNull(),
  slot: integer("slot").notNull(),
  member: integer("member").notNull(),
  attempt: integer("attempt").notNull(),
  node_id: text("node_id").notNull(),
  boot_id: text("boot_id").notNull(),
  desired: text("desired").$type<TaskRow["desired"]>().notNull(),
  stop: json<StopOrder>("stop"),
  grant_until: integer("grant_until").notNull(),
  written_off: json<NonNullable<TaskRow["written_off"]>>("written_off"),
  promised: json<Promised>("promised").notNull(),
  unix_user: text("unix_user"),
  exclusive: flag("exclusive").notNull(),
  created_ms: integer("created_ms").notNull(),
  assigned_revision: integer("assigned_revision").notNull(),
  observed: json<Observed>("observed").notNull(),
  batch: json<ElementBatch>("batch"),
  heir_of: json<readonly string[]>("heir_of"),
});

const OBSERVED_STATE = `"observed" ->> '$.state'`;

export const tasks = sqliteTable("tasks", taskColumns(), () => [
  oneOf("tasks_state", OBSERVED_STATE, TASK_STATES),
  oneOf("tasks_desired", `"desired"`, DESIRED),
  oneOf("tasks_kind", `"kind"`, KINDS),
]);

const elementColumns = () => ({
  key: text("key").primaryKey(),
  run_uid: text("run_uid").notNull(),
  page: integer("page").notNull(),
  states: text("states").notNull(),
});

export const elements = sqliteTable("elements", elementColumns());

export const ports = sqliteTable("ports", {
  key: text("key").primaryKey(),
  until_ms: integer("until_ms").notNull(),
  held_by: text("held_by"),
});

export const users = sqliteTable(
  "users",
  {
    name: text("name").primaryKey(),
    role: text("role").$type<Role>().notNull(),
    unix_user: text("unix_user").notNull(),
    accounts: json<readonly string[]>("accounts").notNull().default([]),
    project: text("project").notNull(),
    created_ms: integer("created_ms").notNull(),
  },
  () => [oneOf("users_role", `"role"`, ROLES)],
);

export const tokens = sqliteTable(
  "tokens",
  {
    id: text("id").primaryKey(),
    user: text("user"),
    role: text("role").$type<Role>().notNull(),
    hash: text("hash").notNull(),
    created_ms: integer("created_ms").notNull(),
    expires_ms: integer("expires_ms"),
    revoked_ms: integer("revoked_ms"),
    joins: json<JoinGrant>("joins"),
    parent: text("parent"),
  },
  () => [oneOf("tokens_role", `"role"`, ROLES)],
);

// ---- tables that are not held in memory

export const specs = sqliteTable("specs", {
  hash: text("hash").primaryKey(),
  spec: json<TaskSpec>("spec").notNull(),
});

/**
 * `archived_ms` is the time of the batch in which the task left the live state. History is ordered and pruned by it.
 */
export const ended_tasks = sqliteTable(
  "ended_tasks",
  {
    ...taskColumns(),
    archived_ms: integer("archived_ms").notNull(),
  },
  (table) => [
    index("ended_tasks_time").on(table.archived_ms, table.uid),
    index("ended_tasks_owner").on(table.owner_uid, table.archived_ms, table.uid),
    index("ended_tasks_app").on(table.app_uid, table.archived_ms, table.uid),
    index("ended_tasks_run").on(table.run, table.archived_ms, table.uid),
    index("ended_tasks_spec").on(table.spec_hash),
    oneOf("ended_tasks_state", OBSERVED_STATE, TASK_STATES.filter(isFinal)),
  ],
);

export const ended_runs = sqliteTable(
  "ended_runs",
  {
    ...runColumns(),
    archived_ms: integer("archived_ms").notNull(),
  },
  (table) => [
    uniqueIndex("ended_runs_run").on(table.run),
    // All that a list filters by, so that what does not match is passed over without reading its row.
    index("ended_runs_time").on(table.archived_ms, table.run, table.project, table.user),
    index("ended_runs_project").on(table.project, table.run, table.archived_ms),
    index("ended_runs_user").on(table.user, table.run, table.project, table.archived_ms),
    index("ended_runs_name").on(table.name, table.run),
    index("ended_runs_spec").on(table.spec_hash),
    oneOf("ended_runs_state", `"state"`, RUN_STATES.filter(isFinal)),
  ],
);

export const ended_elements = sqliteTable(
  "ended_elements",
  {
    ...elementColumns(),
    archived_ms: integer("archived_ms").notNull(),
  },
  (table) => [
    index("ended_elements_time").on(table.archived_ms),
    index("ended_elements_run").on(table.run_uid, table.page),
  ],
);

export const versions = sqliteTable(
  "versions",
  {
    key: text("key").primaryKey(),
    workload_uid: text("workload_uid").notNull(),
    version: integer("version").notNull(),
    revision: integer("revision").notNull().default(0),
    spec_hash: text("spec_hash").notNull(),
    settings: json<Settings>("settings").notNull(),
    by: text("by").notNull(),
    at_ms: integer("at_ms").notNull(),
  },
  (table) => [
    index("versions_workload").on(table.workload_uid, table.version, table.revision),
    index("versions_spec").on(table.spec_hash),
  ],
);

/** Every execution of a node's tests: the node's own past, and what its twins are compared with. */
export const node_tests = sqliteTable(
  "node_tests",
  {
    id: text("id").primaryKey(),
    node_id: text("node_id").notNull(),
    fingerprint: text("fingerprint").notNull(),
    at_ms: integer("at_ms").notNull(),
    why: text("why").notNull(),
    verdict: text("verdict").$type<NodeTests["verdict"]>().notNull(),
    reason: text("reason"),
    results: json<readonly JudgedResult[]>("results").notNull(),
  },
  (table) => [
    index("node_tests_node").on(table.node_id, table.at_ms),
    oneOf("node_tests_verdict", `"verdict"`, ["passed", "failed"]),
  ],
);

export const graves = sqliteTable("graves", {
  uid: text("uid").primaryKey(),
  at_ms: integer("at_ms").notNull(),
});

/** The id begins with the time, so that the primary key orders events and bounds a search by time. */
export const events = sqliteTable(
  "events",
  {
    id: text("id").primaryKey(),
    at_ms: integer("at_ms").notNull(),
    actor: text("actor").notNull(),
    verb: text("verb").notNull(),
    object: text("object").notNull(),
    project: text("project"),
    node_id: text("node_id"),
    detail: text("detail").notNull(),
    run: integer("run"),
  },
  (table) => [
    index("events_object").on(table.object, table.id, table.project),
    index("events_node").on(table.node_id, table.id, table.project),
    index("events_run").on(table.run, table.id, table.project),
  ],
);

/** Answers kept for 24 h, so that a change that is sent twice has one effect. */
export const idempotency = sqliteTable(
  "idempotency",
  {
    principal: text("principal").notNull(),
    key: text("key").notNull(),
    request_hash: text("request_hash").notNull(),
    response: text("response"),
    revision: integer("revision").notNull(),
    at_ms: integer("at_ms").notNull(),
    timeline: text("timeline").notNull(),
  },
  (table) => [primaryKey({ columns: [table.principal, table.key] }), index("idempotency_time").on(table.at_ms)],
);
