// Reads a cluster from a few lines of text, for golden files: one noun per line, `key=value` behind it, bare words as
// flags.

import type { LinkKind } from "../../src/core/model/device";
import type { EndCause } from "../../src/core/model/end";
import type { State } from "../../src/core/model/rows-state";
import type { RunRow, SlotRow, WorkloadRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeRow } from "../../src/core/model/rows-node";
import type { PlanLimits, Snapshot } from "../../src/core/pass/snapshot";
import { GIB, MIB, type Ms } from "../../src/core/units";
import { type PortRequest, TAINT_EFFECTS, type TaskSpec, type Toleration } from "../../src/core/model/workload";
import {
  buildEnd,
  buildGpu,
  buildNode,
  buildPromised,
  buildRun,
  buildSlot,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
  uidOf,
  type StateParts,
} from "./build";
import { changeCard, linkCards, readCards } from "./card-text";
import { parseCpu, parseMs, spaced, Words } from "./words";

const SAID: Partial<Record<EndCause, string>> = {
  no_command: "the command x is in no directory of PATH",
  no_directory: "the directory /x is not there",
  no_account: "no account alice on this node",
  port_taken: "port 9000 is held by nginx",
};

interface Described {
  readonly parts: {
    [K in "nodes" | "workloads" | "runs" | "slots" | "tasks" | "ports"]: NonNullable<StateParts[K]>[number][];
  };
  readonly specs: Record<string, TaskSpec>;
  readonly silent_ms: Record<string, Ms | null>;
  readonly limits: Record<string, number>;
  readonly removing: string[];
  recovering: string[] | null;
}

/** Reads a description. Lines that begin with `#` are comments. */
export function parseCluster(text: string): { readonly state: State; readonly snapshot: Snapshot } {
  const described: Described = {
    parts: { nodes: [], workloads: [], runs: [], slots: [], tasks: [], ports: [] },
    specs: {},
    silent_ms: {},
    limits: {},
    removing: [],
    recovering: null,
  };
  for (const line of text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [noun = "", name = "", ...rest] = line.trim().split(/\s+/);
    readLine(described, noun, name, new Words(rest));
  }
  const { parts, specs, silent_ms, limits, recovering } = described;
  const state = buildState({ ...parts, cluster: { recovering } } as StateParts);
  return { state, snapshot: buildSnapshot(state, { specs, silent_ms, limits: limits as Partial<PlanLimits> }) };
}

function readLine(described: Described, noun: string, name: string, words: Words): void {
  const { parts } = described;
  switch (noun) {
    case "node":
      parts.nodes.push(readNode(described, name, words));
      break;
    case "service":
    case "daemon":
    case "job":
      parts.workloads.push(readWorkload(described, noun, name, words));
      break;
    case "run":
      parts.runs.push(readRun(described, Number(name), words));
      break;
    case "task":
      parts.tasks.push(readTask(described, name, words));
      break;
    case "slot":
      parts.slots.push(readSlot(described, name, words));
      break;
    case "port":
      parts.ports.push({
        key: name,
        until_ms: NOW_MS + words.ms("rests", 0),
        held_by: words.text("held") ?? null,
      });
      break;
    case "limit":
      described.limits[name] = words.has("ms") ? words.ms("ms", 0) : words.number("is", 0);
      break;
    case "card":
      changeCard(parts.nodes, name, words);
      break;
    case "link":
      linkCards(parts.nodes, name as LinkKind, [...words.values.keys()]);
      break;
    case "recovering":
      described.recovering = name.split(",");
      break;
    default:
      throw new Error(`no such noun: ${noun}`);
  }
}

function readNode(described: Described, name: string, words: Words): NodeRow {
  if (words.has("silent")) described.silent_ms[name] = words.text("silent") === "never" ? null : words.ms("silent", 0);
  const devices = words.list("gpu").flatMap((text) => readCards(`${name}-`, text));
  const drain = {
    since_ms: NOW_MS,
    by: "alice",
    reason: null,
    deadline_ms: words.has("deadline") ? NOW_MS + words.ms("deadline", 0) : null,
  };
  return buildNode(name, {
    ordinal: words.number("ordinal", described.parts.nodes.length + 1),
    devices,
    labels: Object.fromEntries(words.under("label.")),
    taints: words.under("taint.").map(([key, value]) => ({
      key,
      value: value.split(":")[0] ?? "",
      effect: TAINT_EFFECTS.find((effect) => value.endsWith(`:${effect}`)) ?? "no_schedule",
    })),
    pool: words.text("pool") ?? "default",
    ...readAdmission(name, words),
    contact: (words.text("contact") ?? "connected") as NodeRow["contact"],
    fingerprint: words.text("machine") ?? `machine-${name}`,
    ...(words.has("leaving")
      ? { leaving: { since_ms: NOW_MS, deadline_ms: NOW_MS + words.ms("leaving", 0), gone: true, why: "spot notice" } }
      : {}),
    ...(words.has("draining") ? { intent: "draining" as const, drain } : {}),
    facts: { unix_user: words.text("account") ?? "root" },
    capacity: {
      cpu_milli: parseCpu(words.text("cpu") ?? "8"),
      memory_bytes: words.ms("memory", 32 * GIB),
      disk_bytes: words.ms("disk", 100 * GIB),
      countables: counts(words.under("has.")),
    },
  });
}

/** Reads `tested=3s` (being tested for 3 s) and `quarantined=disk_writes_fail` (its tests found that). */
function readAdmission(name: string, words: Words): Pick<NodeRow, "admission" | "testing" | "tests"> {
  const order = { id: uidOf(`tests of ${name}`), why: "it joined", at_ms: NOW_MS - words.ms("tested", 0) };
  if (words.has("tested")) {
    return { admission: "testing", testing: { ...order, by: "server", commands: [] }, tests: null };
  }
  const reason = words.text("quarantined");
  if (reason === undefined) return { admission: "ready", testing: null, tests: null };
  const tests = { ...order, node_id: name, fingerprint: "", verdict: "failed" as const, results: [] };
  return { admission: "quarantined", testing: null, tests: { ...tests, reason: spaced(reason) } };
}

const counts = (pairs: readonly [string, string][]): Record<string, number> =>
  Object.fromEntries(pairs.map(([key, value]) => [key, Number(value)]));

/** Reads `24GB`, `24GB:2`, `H100:1` or `2`; `share=8GB` and `linked=true` stand beside it. */
function readGpu(text: string, words: Words): TaskSpec["request"]["gpu"] {
  const parts = text.split(":");
  const size = parts.find((part) => part.endsWith("GB"));
  const count = parts.find((part) => /^\d+$/.test(part));
  const models = parts.filter((part) => part !== size && part !== count);
  return buildGpu({
    count: Number(count ?? 1),
    memory_min_bytes: size === undefined ? null : parseMs(size),
    models: models.map(spaced),
    ...(words.has("share") ? { share_bytes: words.ms("share", 0) } : {}),
    ...(words.has("linked") ? { linked: words.text("linked") === "true" ? "demanded" : "ignored" } : {}),
  });
}

function readPort(text: string): PortRequest {
  const [name = "", port = "auto", bind = "cluster"] = text.split(":");
  return { name, target: null, published: port === "auto" ? null : Number(port), bind: bind as PortRequest["bind"] };
}

function readSpec(described: Described, key: string, words: Words, origin: TaskSpec["origin"]): string {
  const tolerate: Toleration[] = words.under("tolerate.").map(([each, value]) => ({ key: each, value }));
  described.specs[key] = buildSpec({
    origin,
    exclusive: words.has("exclusive"),
    members: words.number("members", 1),
    ports: words.list("ports").map(readPort),
    request: {
      cpu_milli: words.has("cpu") ? parseCpu(words.text("cpu") ?? "") : null,
      memory_bytes: words.has("memory") ? words.ms("memory", 0) : null,
      disk_bytes: words.ms("disk", 0),
      gpu: words.has("gpu") ? readGpu(words.text("gpu") ?? "1", words) : null,
      countables: counts(words.under("needs.")),
    },
    place: {
      pool: words.text("pool") ?? null,
      hosts: words.list("hosts"),
      tolerate,
      labels: words.under("label.").map(([each, value]) => ({ key: each, op: "in", values: [value] })),
      apart_from: words.list("apart"),
      together_with: words.list("together"),
      strategy: words.has("spread") ? "spread" : "pack",
    },
  });
  return key;
}

function readSettings(
  words: Words,
  on_node_loss: "replace" | "wait",
): NonNullable<Parameters<typeof buildWorkload>[3]>["settings"] & object {
  return {
    replicas: words.number("replicas", 1),
    priority: words.number("priority", 0),
    retries: words.number("retries", 0),
    on_node_loss: words.has("wait") ? "wait" : words.has("requeue") ? "requeue" : on_node_loss,
    restart: { offline: words.has("offline"), attempts: words.has("attempts") ? words.number("attempts", 0) : null },
  };
}

function readWorkload(described: Described, kind: WorkloadRow["kind"], name: string, words: Words): WorkloadRow {
  const [app = "", workload = ""] = name.split(".");
  return buildWorkload(app, workload, readSpec(described, name, words, "entry"), {
    kind,
    version: words.number("version", 1),
    removing: words.has("removing"),
    settings: readSettings(words, "replace"),
  });
}

function readRun(described: Described, run: number, words: Words): RunRow {
  const of = words.text("of");
  const job = described.parts.workloads.find((workload) => `${workload.app}.${workload.name}` === of);
  const states = ["waiting", "running", "succeeded", "failed", "cancelled"] as const;
  const after = words.list("after").map((text) => {
    const [target = "", when = "succeeded"] = text.split(":");
    const awaited = described.parts.runs.find((row) => String(row.run) === target);
    const name = (awaited?.name ?? target).split(".").at(-1) ?? target;
    return { name, uid: awaited?.uid ?? uidOf(target), when: when as RunRow["after"][number]["when"], met: null };
  });
  return buildRun(run, readSpec(described, `run ${run}`, words, "run"), {
    state: states.find((state) => words.has(state)) ?? "queued",
    after,
    settings: readSettings(words, "wait"),
    cancel: words.has("cancel") ? { at_ms: NOW_MS, by: "alice" } : null,
    ...(words.has("running") ? { started_ms: NOW_MS - 60_000 } : {}),
    ...(job === undefined ? {} : { name: of ?? "", app: job.app, app_uid: job.app_uid, workload_uid: job.uid }),
  });
}

/** Returns the owner and slot of `recs.api.0`, `12` or `12.1`. */
function ownerOf(described: Described, name: string): { owner: WorkloadRow | RunRow; slot: number; member: number } {
  const [first = "", second = "0", third = "0"] = name.split(".");
  const run = described.parts.runs.find((row) => String(row.run) === first);
  if (run !== undefined) return { owner: run, slot: 0, member: Number(second) };
  const owner = described.parts.workloads.find((row) => row.app === first && row.name === second);
  if (owner === undefined) throw new Error(`no owner of ${name}`);
  return { owner, slot: Number(third), member: 0 };
}

function readTask(described: Described, name: string, words: Words): TaskRow {
  const { owner, slot, member } = ownerOf(described, name);
  const spec = described.specs[owner.spec_hash] ?? buildSpec();
  const [state = "running", age = "60s"] = (words.text("is") ?? "running").split(":");
  const observed: TaskRow["observed"] =
    state === "running"
      ? { state, pid: 100, started_ms: NOW_MS - parseMs(age) }
      : state === "prepared" || state === "preparing"
        ? { state: "preparing", prepared: state === "prepared", reason: null }
        : { state: state as "assigned" | "starting" };
  return buildTask(owner, words.text("on") ?? "", {
    slot,
    member,
    attempt: words.number("attempt", 1),
    version: words.number("version", owner.version),
    observed,
    desired: words.has("stopping") ? "stop" : words.has("prepare") ? "prepare" : "run",
    exclusive: spec.exclusive,
    written_off: words.has("written_off") ? { at_ms: NOW_MS - 1_000, why: "silent" } : null,
    created_ms: NOW_MS - words.ms("placed", 61_000),
    promised: buildPromised({
      cpu_milli: words.has("cpu") ? parseCpu(words.text("cpu") ?? "") : (spec.request.cpu_milli ?? 100),
      memory_bytes: spec.request.memory_bytes ?? 256 * MIB,
      memory_limited: spec.request.memory_bytes !== null,
      devices: words.list("devices").map((text) => {
        const [id = "", bytes] = text.split("@");
        return { id, bytes: bytes === undefined ? null : parseMs(bytes) };
      }),
      ports: words.list("ports").map((text) => {
        const { name: port, published, bind } = readPort(text);
        return { name: port, target: published ?? 0, published: published ?? 0, bind };
      }),
    }),
  });
}

function readSlot(described: Described, name: string, words: Words): SlotRow {
  const { owner, slot } = ownerOf(described, name);
  const task = buildTask(owner, words.text("on") ?? "a", {
    slot,
    attempt: words.number("attempts", 1),
    version: words.number("version", owner.version),
  });
  const ends = words.list("end").map((text, member) => {
    const [state = "failed", code] = text.split(":");
    return buildEnd(task, {
      member,
      uid: uidOf(`${name} end ${member}`),
      state: state as "failed",
      exit_code: code === undefined ? null : Number(code),
    });
  });
  return buildSlot(task, {
    ends,
    failed: words.number("failed", 0),
    rejected: words.number("rejected", 0),
    lost: words.number("lost", 0),
    streak: words.number("streak", 0),
    not_before_ms: NOW_MS + words.ms("wait", -1_000),
    avoid: words.list("avoid").map((text) => {
      const [node_id = "", rest = "30s", cause = "no_directory", times = "1"] = text.split(":");
      return {
        node_id,
        until_ms: NOW_MS + parseMs(rest),
        version: task.version,
        unix_user: owner.user,
        times: Number(times),
        at_ms: NOW_MS - 10_000,
        cause: cause as EndCause,
        reason: `could not start: ${SAID[cause as EndCause] ?? cause}`,
        exit_code: cause === "no_command" ? 127 : null,
      };
    }),
  });
}
