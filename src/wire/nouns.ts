// Schemas of the core's values that travel, checked against the core's own types so that the two cannot differ.

import { z } from "zod";
import { HOUSE_LIMITS } from "../core/limits";
import { amount, countable, entriesOf, int, port, prose, span, tableOf, tailText, text } from "./scalars";
import type { BatchOrder, BatchResults } from "../core/model/array";
import { END_CAUSES, TOLD_ENDS, type EndCause } from "../core/model/end";
import { DEFAULT_LIMITS } from "../core/pass/limits";
import type {
  Assignment,
  Inventory,
  Passed,
  Reported,
  Seal,
  Stamp,
  TaskReport,
  TaskSettings,
  Verb,
} from "../core/model/record";
import { DEVICE_STATES, LINK_KINDS, VENDORS, type Device, type Reading } from "../core/model/device";
import { FINDING_WORDS, type FindingOverrides, type Notice } from "../core/model/findings";
import type { TaskIdentity } from "../core/model/rows-task";
import type { ForeignTask, NodeFacts, NodeLimits, Orphan } from "../core/model/rows-node";
import type { Promised } from "../core/model/promised";
import {
  KINDS,
  TAINT_EFFECTS,
  type Activate,
  type Command,
  type InputRef,
  type ProcessLimits,
  type RestartSettings,
  type StopSettings,
  type Taint,
} from "../core/model/workload";

const uid = z.string().regex(/^[0-9a-f]{32}$/);

export const stamp = z.object({
  cluster_id: text,
  timeline: text,
  epoch: int,
  session: int,
  revision: int,
  signature: text.default(""),
}) satisfies z.ZodType<Stamp>;

export const passed = z.object({
  timeline: text,
  epoch: int,
  revision: int,
  signature: text,
}) satisfies z.ZodType<Passed>;

export const amounts = z.object({
  cpu_milli: amount,
  memory_bytes: amount,
  disk_bytes: amount,
  /** Kinds of things that are counted, by name. */
  countables: tableOf(countable, HOUSE_LIMITS.countables),
});

export const promised = amounts.extend({
  memory_limited: z.boolean(),
  devices: z.array(z.object({ id: text, bytes: amount.nullable() })).max(HOUSE_LIMITS.devices),
  ports: z
    .array(z.object({ name: text, target: port, published: port, bind: z.enum(["cluster", "loopback"]) }))
    .max(HOUSE_LIMITS.ports),
}) satisfies z.ZodType<Promised>;

export const device = z.object({
  id: text,
  vendor: z.enum(VENDORS),
  model: prose,
  memory_bytes: amount,
  index: int,
  pci: text.nullable(),
  numa_node: int.nullable(),
  driver: prose.nullable(),
  parent: text.nullable(),
  links: entriesOf(z.object({ id: text, kind: z.enum(LINK_KINDS) }), HOUSE_LIMITS.devices),
  compute_mode: z.enum(["shared", "exclusive", "prohibited"]).nullable(),
  ecc: z.boolean().nullable(),
  state: z.enum(DEVICE_STATES),
  reason: prose.nullable(),
  foreign_bytes: amount,
  foreign: prose.nullable(),
}) satisfies z.ZodType<Device>;

export const reading = z.object({
  id: text,
  age_ms: span,
  stale: z.boolean(),
  memory_used_bytes: amount.nullable(),
  utilization_percent: z.number().nullable(),
  temperature_celsius: z.number().nullable(),
  power_watts: z.number().nullable(),
  clock_mhz: z.number().nullable(),
  throttled: prose.nullable(),
  ecc_errors: int.nullable(),
  processes: entriesOf(
    z.object({
      pid: int,
      user: prose.nullable(),
      command: prose,
      memory_bytes: amount.nullable(),
      task_uid: text.nullable(),
    }),
    HOUSE_LIMITS.devices,
  ),
}) satisfies z.ZodType<Reading>;

export const findingOverrides = z.record(z.string(), z.enum(FINDING_WORDS)) satisfies z.ZodType<FindingOverrides>;

export const notice = z.object({
  n: int,
  object: text,
  key: text,
  class: z.enum(["ignore", "blame", "watch", "quarantine"]),
  text: prose,
}) satisfies z.ZodType<Notice>;

export const taint = z.object({
  key: text,
  value: text,
  effect: z.enum(TAINT_EFFECTS),
}) satisfies z.ZodType<Taint>;

export const orphan = z.object({
  uid: text,
  name: prose,
  pid: int.nullable(),
  held: promised.nullable(),
}) satisfies z.ZodType<Orphan>;

const limit = z.object({ is: z.enum(["enforced", "watched", "counted"]), why: prose.nullable() });

export const nodeLimits = z.object({
  cpu: limit,
  memory: limit,
  devices: limit.nullable(),
  share: limit.nullable(),
}) satisfies z.ZodType<NodeLimits>;

const foreignTask = z.object({
  name: prose,
  pid: int,
  data: prose,
  since_ms: int,
  memory_bytes: amount,
}) satisfies z.ZodType<ForeignTask>;

const foreignTasks = entriesOf(foreignTask, HOUSE_LIMITS.foreign_tasks) as z.ZodType<readonly ForeignTask[]>;

export const nodeFacts = z.object({
  os: prose,
  arch: prose,
  hostname: prose,
  kernel: prose,
  cpu_model: prose,
  memory_bytes: amount.nullable(),
  /** Older agents do not send this field. */
  cores: int.optional(),
  address: prose.nullable(),
  cgroups: z.enum(["v2", "v1", "none"]),
  cgroups_detail: prose.nullable(),
  limits: nodeLimits.nullable().default(null),
  accounts: z.enum(["existing", "create", "shared"]),
  unix_user: prose,
  /** Older agents do not send this field. */
  unable: prose.nullable().optional(),
  silent: prose.nullable().optional(),
  data: prose.nullable().optional(),
  foreign_tasks: foreignTasks.optional(),
  takes_stdin: z.boolean().optional(),
  takes_arrays: z.boolean().optional(),
  takes_heirs: z.boolean().optional(),
}) satisfies z.ZodType<NodeFacts>;

const identity = z.object({
  owner_uid: uid,
  app_uid: uid.nullable(),
  project: text,
  user: text,
  app: text.nullable(),
  workload: text,
  kind: z.enum(KINDS),
  run: int.nullable(),
  version: int,
  spec_hash: text,
  slot: int,
  member: int,
  attempt: int,
}) satisfies z.ZodType<TaskIdentity>;

const command = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("shell"), shell: text, script: z.string() }),
  z.object({ kind: z.literal("argv"), argv: z.array(z.string()) }),
]) satisfies z.ZodType<Command>;

const stopSettings = z.object({ signal: text, grace_ms: int }) satisfies z.ZodType<StopSettings>;

const restartSettings = z.object({
  backoff_min_ms: int,
  backoff_max_ms: int,
  attempts: int.nullable(),
  offline: z.boolean(),
}) satisfies z.ZodType<RestartSettings>;

const limitBytes = int.nullable().optional();

const processLimits = z.object({
  nofile: int.optional(),
  memlock_bytes: limitBytes,
  core_bytes: limitBytes,
  stack_bytes: limitBytes,
}) satisfies z.ZodType<ProcessLimits>;

const activate = z.object({ kind: z.enum(["venv", "conda"]), dir: z.string() }) satisfies z.ZodType<Activate>;

const seal = z.object({ uid, attempt: int, signature: text }) satisfies z.ZodType<Seal>;

/** A hash of content in hex. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hex digits");

export const inputRef = z.object({
  sha256,
  bytes: z.int().positive().max(HOUSE_LIMITS.input_bytes),
}) satisfies z.ZodType<InputRef>;

const part = z.tuple([int, int]);
const parts = z.array(part).min(1).max(HOUSE_LIMITS.batch_elements);

const batchOrder = z.object({
  parts,
  round: int,
  places: int,
  first: int,
  step: int,
  begins_for_ms: span,
}) satisfies z.ZodType<BatchOrder>;

const elementEnd = z.union([int, text]);

export const batchResults = z.object({
  from: int,
  results: z.array(z.tuple([int, elementEnd, span, prose.optional()])).max(HOUSE_LIMITS.batch_elements),
  places: int,
  only: int.nullable(),
}) satisfies z.ZodType<BatchResults>;

export const assignment = z.object({
  uid,
  identity,
  name: text,
  boot_id: text,
  desired: z.enum(["prepare", "run"]),
  grant_until: int,
  streak: int,
  command,
  env: z.record(z.string(), z.string()),
  workdir: z.string().nullable(),
  activate: activate.optional(),
  login: z.literal(true).optional(),
  oom: z.literal("any").optional(),
  unix_user: text.nullable(),
  /** Older records do not contain these two fields. A task of theirs runs as a person. */
  may_be_system: z.boolean().default(false),
  server_uid: int.nullable().default(null),
  limits: processLimits.optional(),
  stdin: inputRef.optional(),
  promised,
  stop: stopSettings,
  restart: restartSettings,
  /** Older servers do not send this field, and older records do not contain it. */
  stable_ms: int.default(DEFAULT_LIMITS.stable_ms),
  time_limit_ms: int.nullable(),
  lease_ms: int.nullable(),
  batch: batchOrder.optional(),
  heir_of: z.array(uid).max(HOUSE_LIMITS.heirs).optional(),
  seal: seal.optional(),
}) satisfies z.ZodType<Assignment>;

const taskSettings = z.object({
  stop: stopSettings,
  restart: restartSettings.omit({ offline: true }),
  time_limit_ms: int.nullable(),
}) satisfies z.ZodType<TaskSettings>;

export const verb = z.discriminatedUnion("verb", [
  z.object({ verb: z.literal("assign"), task: assignment }),
  z.object({ verb: z.literal("go"), uid }),
  z.object({ verb: z.literal("set"), uid, settings: taskSettings }),
  z.object({
    verb: z.literal("stop"),
    uid,
    attempt: int,
    /** Older servers do not send this field. */
    assigned_revision: int.default(0),
    signal: text,
    grace_ms: int,
    why: prose,
    unbegun: z.literal(true).optional(),
  }),
]) satisfies z.ZodType<Verb>;

const CAUSES = Object.keys(END_CAUSES) as [EndCause, ...EndCause[]];

const ended = z.object({
  started_age_ms: span.nullable(),
  finished_age_ms: span,
  exit_code: z.int().nullable(),
  signal: text.nullable(),
  /**
   * Older agents do not send this field. A cause that only a newer agent knows is dropped, so that the rest of the
   * report is accepted.
   */
  cause: z.enum(CAUSES).optional().catch(undefined),
  reason: prose.nullable(),
  peak_memory_bytes: amount.nullable(),
  tail: z.object({ stdout: tailText, stderr: tailText }).nullable(),
  next: z.object({ uid, starts_in_ms: span }).nullable(),
});

export const reported = z.discriminatedUnion("state", [
  z.object({ state: z.literal("preparing"), prepared: z.boolean(), reason: prose.nullable() }),
  z.object({ state: z.literal("starting") }),
  z.object({ state: z.literal("running"), pid: int, started_age_ms: span }),
  z.object({ state: z.literal("stopping"), pid: int.nullable(), started_age_ms: span.nullable() }),
  ended.extend({ state: z.enum(TOLD_ENDS) }),
]) satisfies z.ZodType<Reported>;

export const taskReport = z.object({
  uid,
  name: prose,
  identity: identity.nullable(),
  grant_until: int,
  held: promised.nullable(),
  exclusive: z.boolean(),
  unix_user: text.nullable(),
  seal: seal.optional(),
  reported,
  results: batchResults.optional(),
}) satisfies z.ZodType<TaskReport>;

export const applied = z.object({ timeline: text, revision: int, since: int }).nullable() satisfies z.ZodType<
  Inventory["applied"]
>;
