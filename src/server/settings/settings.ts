// The server's settings: defaults, then settings.yaml of its data directory, then flags. Unknown settings are refused.

import {
  FINDING_WORDS,
  FINDINGS,
  isFindingKey,
  type FindingOverrides,
  type FindingWord,
} from "../../core/model/findings";
import { HOUSE_LIMITS } from "../../core/limits";
import { DEFAULT_LIMITS } from "../../core/pass/limits";
import type { PlanLimits } from "../../core/pass/snapshot";
import { messageOf } from "../../os/errors";
import { didYouMean } from "../../spec/grammar/nearest";
import { readDuration } from "../../spec/grammar/units";
import { parseListen, type Listen } from "../http/listen";
import type { PoolTest } from "../context";
import { StartError } from "../refused";
import { nodeTestsOf } from "./test-settings";

export interface ServerSettings {
  readonly limits: PlanLimits;
  readonly findings: FindingOverrides;
  readonly listen: Listen;
  readonly hosts: readonly string[];
  readonly node_tests: readonly PoolTest[];
}

type Limit = keyof PlanLimits;

const OTHERS = ["listen", "host", "findings", "node_tests"];
const DEFAULT_LISTEN = "127.0.0.1:4400";

const LIMITS = Object.keys(DEFAULT_LIMITS) as Limit[];

/**
 * Reads settings. `text` is the file's, or null if there is none. Durations are written `30s`, or as a number of
 * milliseconds.
 */
export function settingsFrom(
  text: string | null,
  file: string,
  flags: Partial<PlanLimits>,
  hosts: readonly string[],
  listen: string | null,
): ServerSettings {
  const read = text === null ? {} : parse(text, file);
  const fromFile: Record<string, unknown> = {};
  let moreHosts: readonly string[] = [];
  let address = DEFAULT_LISTEN;
  let findings: FindingOverrides = {};
  let nodeTests: readonly PoolTest[] = [];
  for (const [key, value] of Object.entries(read)) {
    if (key === "host" || key === "hosts") {
      moreHosts = [...moreHosts, ...hostsOf(key, value, file)];
      continue;
    }
    if (key === "listen") {
      address = String(value);
      continue;
    }
    if (key === "findings") {
      findings = findingsOf(value, file);
      continue;
    }
    if (key === "node_tests") {
      nodeTests = nodeTestsOf(value, file);
      continue;
    }
    const name = LIMITS.find((limit) => limit === key || limit === `${key}_ms`);
    if (name === undefined) {
      throw new StartError(
        `${file}: ${key} is no setting`,
        didYouMean(key, [...LIMITS, ...OTHERS]) ?? `settings are ${[...OTHERS, ...LIMITS].join(", ")}`,
      );
    }
    fromFile[name] = limitOf(name, value, file);
  }
  return {
    limits: checked({ ...DEFAULT_LIMITS, ...fromFile, ...flags }),
    findings,
    listen: parseListen(listen ?? address),
    hosts: [...hosts, ...moreHosts],
    node_tests: nodeTests,
  };
}

/** Reads overrides of findings, such as `xid 63: watch`. */
function findingsOf(value: unknown, file: string): FindingOverrides {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new StartError(`${file}: findings is not a map`, "such as: findings: { xid 63: quarantine }");
  }
  const words: Record<string, FindingWord> = {};
  for (const [name, given] of Object.entries(value)) {
    const key = name.toLowerCase();
    if (!isFindingKey(key)) {
      const keys = Object.keys(FINDINGS);
      throw new StartError(
        `${file}: findings: ${name} is no finding`,
        didYouMean(key, keys) ?? "docs/gpu-health.md lists them",
      );
    }
    const word = FINDING_WORDS.find((one) => one === given);
    if (word === undefined) {
      throw new StartError(
        `${file}: findings: ${name}: ${String(given)} is no class`,
        `it is ${FINDING_WORDS.join(", ")}`,
      );
    }
    words[key] = word;
  }
  return words;
}

function parse(text: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = Bun.YAML.parse(text);
  } catch (error) {
    throw new StartError(`${file} is not YAML: ${messageOf(error)}`, null, {
      cause: error,
    });
  }
  if (value === null || value === undefined) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new StartError(`${file} is not a map of settings`, "such as: replace_after: 30s");
}

function limitOf(name: Limit, value: unknown, file: string): number | readonly [number, number] {
  if (name === "port_range") {
    const [low, high] = Array.isArray(value)
      ? (value as unknown[])
      : typeof value === "string"
        ? value.split("..").map(Number)
        : [];
    if (typeof low === "number" && typeof high === "number" && low > 0 && low <= high && high <= 65_535)
      return [low, high];
    throw new StartError(`${file}: port_range is not two ports`, "such as: port_range: 20000..31999");
  }
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
  const duration = name.endsWith("_ms") && typeof value === "string" ? readDuration(value) : null;
  if (duration?.is === "parsed") return duration.value;
  throw new StartError(`${file}: ${name} is ${duration === null ? "not a number" : "not a duration"}`, "such as 30s");
}

/** Reads one name or a list of names. */
function hostsOf(key: string, value: unknown, file: string): readonly string[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (all.every((host) => typeof host === "string")) return all;
  throw new StartError(`${file}: ${key} is no name`, "such as: host: [box1.lab]");
}

/** Refuses limits that contradict each other, since those would let two tasks run in place of one. */
function checked(limits: PlanLimits): PlanLimits {
  if (limits.lost_after_ms < limits.unreachable_after_ms) {
    throw new StartError("lost_after is shorter than unreachable_after", "A node is first unreachable, then lost");
  }
  if (limits.grant_attempts > HOUSE_LIMITS.grant_attempts) {
    throw new StartError(
      `grant_attempts is more than ${HOUSE_LIMITS.grant_attempts}`,
      "the default is 5: an agent that is cut off for long restarts what crashes so often",
    );
  }
  return limits;
}
