// Readers for short values of the command line: pairs, taints, capacities, fake devices for tests, addresses. Each
// returns the value or why the text is invalid.

import { readCpu, readSize } from "../../spec/grammar/units";
import { readLabelKey, readLabelValue } from "../../spec/grammar/labels";
import { invalid, parsed, quoted, type Parsed } from "../../spec/issue";
import { PLAIN_DEVICE, type Device } from "../../core/model/device";
import { nearest } from "../../spec/grammar/nearest";
import type { Taint } from "../../core/model/workload";
import type { Capacity } from "../parts";

export interface Pair {
  readonly key: string;
  readonly value: string;
}

/** Reads `key=value`. The value may contain further `=`. */
export function readPair(text: string): Parsed<Pair> {
  const at = text.indexOf("=");
  if (at < 1) return invalid(`${quoted(text)} is not KEY=VALUE`);
  return parsed({ key: text.slice(0, at), value: text.slice(at + 1) });
}

const LIMITS = ["nofile", "memlock", "core", "stack"];

/** Reads `name=value` with the name of a limit of processes. The value is checked with the job. */
export function readLimit(text: string): Parsed<Pair> {
  const pair = readPair(text);
  if (pair.is === "invalid" || LIMITS.includes(pair.value.key)) return pair;
  return invalid(`${quoted(pair.value.key)} is no limit`, `one of ${LIMITS.join(", ")}`);
}

/** Reads `key=value` with a key that is legal for a label. */
export function readLabel(text: string): Parsed<Pair> {
  const pair = readPair(text);
  if (pair.is === "invalid") return pair;
  const key = readLabelKey(pair.value.key);
  if (key.is === "invalid") return key;
  const value = readLabelValue(pair.value.value);
  return value.is === "invalid" ? value : pair;
}

const EFFECTS: Readonly<Record<string, Taint["effect"]>> = {
  no_schedule: "no_schedule",
  NoSchedule: "no_schedule",
  prefer_not: "prefer_not",
  PreferNoSchedule: "prefer_not",
  no_execute: "no_execute",
  NoExecute: "no_execute",
};

/** Reads `key=value:effect`, with value and effect optional. The effect is `no_schedule` if none is given. */
export function readTaint(text: string): Parsed<Taint> {
  const [, key = "", value = "", named = "no_schedule"] = /^([^=:]+)(?:=([^:]*))?(?::(.*))?$/.exec(text) ?? [];
  const legal = readLabelKey(key);
  if (legal.is === "invalid") return legal;
  const lawful = readLabelValue(value);
  if (lawful.is === "invalid") return lawful;
  const effect = EFFECTS[named];
  if (effect === undefined) {
    return invalid(
      `${quoted(named)} is no effect of a taint`,
      "`no_schedule` keeps work away, `prefer_not` ranks the node last, `no_execute` also moves away what runs",
    );
  }
  return parsed({ key, value, effect });
}

/** Returns what was meant by a slip of a known quantity, which would be a countable that nobody asks for; or null. */
function noQuantity(key: string): string | null {
  if (/^(gpus?|cards?)$/.test(key)) return "cards are found by themselves; `--device ID` chooses among them";
  const known: Readonly<Record<string, string>> = {
    cores: "cpu",
    cpu_count: "cpu",
    vcpu: "cpu",
    ram: "memory",
    mem: "memory",
    storage: "disk",
  };
  const meant = known[key] ?? (key.includes(".") ? null : nearest(key, ["cpu", "memory", "disk"]));
  return meant === null ? null : `did you mean \`${meant}\`?`;
}

/**
 * Reads what an agent may give to tasks: `cpu=4,memory=8GiB,disk=100GiB,licence.matlab=1`. Countables may still have
 * fractions, since a service that was installed by an earlier build may name some, and has to start.
 */
export function readCapacity(text: string): Parsed<Capacity> {
  const countables: Record<string, number> = {};
  const read = new Set<string>();
  let capacity: Capacity = {};
  for (const part of text.split(",").filter((one) => one.trim() !== "")) {
    const pair = readPair(part.trim());
    if (pair.is === "invalid") return pair;
    const { key, value } = pair.value;
    if (read.has(key)) return invalid(`${key} is given twice`);
    read.add(key);
    if (key === "cpu") {
      const cpu = readCpu(value);
      if (cpu.is === "invalid") return cpu;
      capacity = { ...capacity, cpu_milli: cpu.value };
    } else if (key === "memory" || key === "disk") {
      const bytes = readSize(value);
      if (bytes.is === "invalid") return bytes;
      capacity =
        key === "memory" ? { ...capacity, memory_bytes: bytes.value } : { ...capacity, disk_bytes: bytes.value };
    } else {
      const wrong = noQuantity(key);
      if (wrong !== null) return invalid(`${quoted(key)} is no quantity of a node`, wrong);
      if (!/^\d+(\.\d+)?$/.test(value)) return invalid(`${key}=${value} is not a whole number`);
      countables[key] = Number(value);
    }
  }
  return parsed(Object.keys(countables).length === 0 ? capacity : { ...capacity, countables });
}

/** Returns whether the text is the id of a card, or its beginning, as `orch gpus -w` shows it. */
export const isCardId = (text: string): boolean => /^(GPU|MIG|amd|intel|apple)-\S{1,120}$/.test(text);

const VENDORS = { rtx: "nvidia", mi: "amd", arc: "intel", max: "intel" } as const;
const FAKE_LIMIT = 64;

/** Reads `fake:MODEL:MEMORY[:COUNT]`: cards that do not exist, for tests. `seed` makes their ids unique to the node. */
export function readFakeDevices(text: string, seed: string): Parsed<readonly Device[]> {
  const [kind, model = "", memory = "", counted = "1", ...rest] = text.split(":");
  if (kind !== "fake" || model === "" || memory === "" || rest.length > 0) {
    return invalid(
      `${quoted(text)} is not a device`,
      "write the id of a card (`GPU-8a1c…`), or `fake:MODEL:MEMORY[:COUNT]`",
    );
  }
  const bytes = readSize(memory);
  if (bytes.is === "invalid") return bytes;
  const count = Number(counted);
  if (!Number.isInteger(count) || count < 1 || count > FAKE_LIMIT) {
    return invalid(`${quoted(counted)} is not a count of 1 to ${FAKE_LIMIT}`);
  }
  const prefix = /^[a-z]+/i.exec(model)?.[0].toLowerCase() ?? "";
  const vendor = Object.entries(VENDORS).find(([start]) => prefix === start)?.[1] ?? "nvidia";
  const slug = model.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return parsed(
    Array.from({ length: count }, (_, n) => ({
      ...PLAIN_DEVICE,
      id: `fake-${seed}-${slug}-${n}`,
      vendor,
      model,
      memory_bytes: bytes.value,
      index: n,
    })),
  );
}

/** Reads `host:port`, `:port` (every address) or `[::1]:4400`. */
export function readListen(text: string): Parsed<string> {
  const [, host = "", port = ""] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*):(\d{1,5})$/.exec(text) ?? [];
  if (port === "" || Number(port) > 65_535) {
    return invalid(`${quoted(text)} is not HOST:PORT`, "such as `127.0.0.1:4400` or `0.0.0.0:4400`");
  }
  return parsed(`${host === "" || host === "*" ? "0.0.0.0" : host}:${port}`);
}
