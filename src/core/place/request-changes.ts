// The changes to a request that a plan may name, in words and as what they do. `smallest.ts` plans each before it is
// named.

import { formatBytes, formatCpu, formatMemory } from "../format";
import { classGb, formatCard } from "../cards/gpu";
import { formatTaint } from "./labels";
import { GIB, type Bytes, type Milli } from "../units";
import type { GpuRequest, LabelCheck, Place, PortRequest, ResourceRequest, Taint, TaskSpec } from "../model/workload";

/**
 * What a change gives up, from what costs the user least. What leaves the request itself as it is comes first. Changes
 * of one kind are ranked by their amounts.
 */
const KINDS = [
  "taint",
  "pool",
  "port",
  "together",
  "apart",
  "label",
  "hosts",
  "environment",
  "workdir",
  "linked",
  "model",
  "cpu",
  "cards",
  "share",
  "card memory",
  "card memory at most",
  "memory",
  "disk",
  "countable",
  "nodes",
] as const;
export type ChangeKind = (typeof KINDS)[number];

/** A change to a request that may let it be placed. */
export interface RequestChange {
  /** Changes of one key are alternatives. */
  readonly key: string;
  readonly kind: ChangeKind;
  /** The amount that is asked for then: the greater, the less the user gives up. */
  readonly value: number;
  /** What to do, such as `ask for 2GiB of memory`, in words that fit keys of the spec and flags of `orch run` alike. */
  readonly text: string;
  readonly apply: (spec: TaskSpec) => TaskSpec;
}

/** Returns what a change costs the user, to compare it with others. */
export const costOf = ({ kind }: RequestChange): number => KINDS.indexOf(kind);

type Apply = RequestChange["apply"];

const change = (kind: ChangeKind, name: string, value: number, text: string, apply: Apply): RequestChange => ({
  key: name === "" ? kind : `${kind} ${name}`,
  kind,
  value,
  text,
  apply,
});

const placed =
  (change: (place: Place) => Partial<Place>): Apply =>
  (spec) => ({ ...spec, place: { ...spec.place, ...change(spec.place) } });

const requested =
  (change: (request: ResourceRequest) => Partial<ResourceRequest>): Apply =>
  (spec) => ({ ...spec, request: { ...spec.request, ...change(spec.request) } });

const ofCards = (change: (gpu: GpuRequest) => GpuRequest): Apply =>
  requested(({ gpu }) => ({ gpu: gpu === null ? null : change(gpu) }));

// ---- where

export const tolerate = (taints: readonly Taint[]): RequestChange => {
  const text = taints.map(formatTaint).join(" and ");
  const more = taints.map(({ key, value }) => ({ key, value }));
  return change(
    "taint",
    text,
    0,
    `tolerate ${text}`,
    placed((place) => ({ tolerate: [...place.tolerate, ...more] })),
  );
};

export const askForPool = (pool: string): RequestChange =>
  change(
    "pool",
    pool,
    0,
    `ask for pool ${pool}`,
    placed(() => ({ pool })),
  );

export const dropHosts = (): RequestChange =>
  change(
    "hosts",
    "",
    0,
    "allow any host",
    placed(() => ({ hosts: [] })),
  );

/** Asks for no environment of programs, or to start in the home of the account. */
export const goWithout = (what: "environment" | "workdir"): RequestChange =>
  what === "environment"
    ? change(what, "", 0, "activate nothing (--activate none)", (spec) => ({ ...spec, activate: undefined }))
    : change(what, "", 0, "start in another workdir", (spec) => ({ ...spec, workdir: null }));

export const dropLabels = (labels: readonly LabelCheck[], text: string): RequestChange =>
  change(
    "label",
    text,
    0,
    `drop the condition ${text}`,
    placed((place) => ({ labels: place.labels.filter((each) => !labels.includes(each)) })),
  );

export const dropApart = (name: string): RequestChange =>
  change(
    "apart",
    name,
    0,
    `drop apart_from ${name}`,
    placed(({ apart_from }) => ({ apart_from: apart_from.filter((each) => each !== name) })),
  );

export const dropTogether = (name: string): RequestChange =>
  change(
    "together",
    name,
    0,
    `drop together_with ${name}`,
    placed(({ together_with }) => ({ together_with: together_with.filter((each) => each !== name) })),
  );

export const publishAnother = (port: number): RequestChange =>
  change("port", String(port), 0, `publish port ${port} as auto`, (spec) => ({
    ...spec,
    // Where nobody says which port it is inside, the task listens on the one that it is given.
    ports: spec.ports.map((each) => (each.published === port ? { ...each, published: null } : each)),
  }));

/** Listens on free ports in place of fixed ones, since something else on the machine listens on one of them. */
export function listenOnOthers(fixed: readonly PortRequest[]): RequestChange {
  const text = fixed.map(({ name, published, target }) => {
    const another = `publish port ${published ?? name} as auto`;
    return target === null ? another : `${another} without \`target: ${target}\``;
  });
  return change(
    "port",
    fixed.map(({ name, published }) => published ?? name).join(" "),
    0,
    text.join(" and "),
    (spec) => ({
      ...spec,
      ports: spec.ports.map((each) => (isFixed(each) ? { ...each, published: null, target: null } : each)),
    }),
  );
}

/** Returns whether a port inside the task is stated, so that the task starts only where nothing else listens on it. */
export const isFixed = ({ published, target }: PortRequest): boolean => published !== null || target !== null;

// ---- how much

export const askForCpu = (cpu_milli: Milli): RequestChange =>
  change(
    "cpu",
    "",
    cpu_milli,
    `ask for ${formatCpu(cpu_milli)} ${cpu_milli === 1_000 ? "core" : "cores"}`,
    requested(() => ({ cpu_milli })),
  );

export const askForMemory = (memory_bytes: Bytes): RequestChange =>
  change(
    "memory",
    "",
    memory_bytes,
    `ask for ${formatBytes(memory_bytes)} of memory`,
    requested(() => ({ memory_bytes })),
  );

export const askForDisk = (disk_bytes: Bytes): RequestChange =>
  change(
    "disk",
    "",
    disk_bytes,
    `ask for ${formatBytes(disk_bytes)} of disk`,
    requested(() => ({ disk_bytes })),
  );

export const askForCountable = (name: string, count: number): RequestChange =>
  change(
    "countable",
    name,
    count,
    `ask for ${count} ${name}`,
    requested(({ countables }) => ({ countables: { ...countables, [name]: count } })),
  );

export const askForNodes = (members: number): RequestChange =>
  change("nodes", "", members, `ask for ${members} ${members === 1 ? "node" : "nodes"}`, (spec) => ({
    ...spec,
    members,
  }));

// ---- which cards

/** `alone`: one card, which is connected with no other. */
export const askForCards = (count: number, alone: boolean): RequestChange =>
  change(
    "cards",
    "",
    count,
    `ask for ${count} card${count === 1 ? "" : "s"}${alone ? ", without `linked: true`" : ""}`,
    ofCards(({ linked, ...gpu }) => ({ ...gpu, count, ...(linked === undefined || alone ? {} : { linked }) })),
  );

/** A whole card is asked for by its class, and less in whole GB. */
export const askForShare = (bytes: Bytes): RequestChange => {
  const gb = classGb(bytes);
  const share_bytes = Number.isInteger(gb) ? gb * GIB : Math.floor(bytes / GIB) * GIB;
  return change(
    "share",
    "",
    share_bytes,
    `ask for a share of ${formatMemory(share_bytes)}`,
    ofCards((gpu) => ({ ...gpu, share_bytes })),
  );
};

export const dropLinked = (): RequestChange =>
  change(
    "linked",
    "",
    0,
    "drop `linked: true`",
    ofCards(({ linked: _linked, ...gpu }) => gpu),
  );

export const dropModels = (models: readonly string[]): RequestChange =>
  change(
    "model",
    models.join(" "),
    0,
    `drop the model ${models.join(", ")}`,
    ofCards((gpu) => ({ ...gpu, models: [] })),
  );

/** A card's memory as people ask for it: its class, of which the card itself reports somewhat less or more. */
const asSold = (bytes: Bytes): Bytes => (Math.round(classGb(bytes) * 10) / 10) * GIB;

export const askForCardMemory = (bytes: Bytes): RequestChange =>
  change(
    "card memory",
    "",
    bytes,
    `ask for ${formatCard(bytes)}`,
    ofCards((gpu) => ({ ...gpu, memory_min_bytes: asSold(bytes) })),
  );

export const takeSmallerCards = (bytes: Bytes): RequestChange =>
  change(
    "card memory at most",
    "",
    -bytes,
    `take cards of ${formatCard(bytes)}`,
    ofCards((gpu) => ({ ...gpu, memory_min_bytes: asSold(bytes), memory_max_bytes: asSold(bytes) })),
  );
