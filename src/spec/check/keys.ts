// Checks keys: unknown keys get a hint, and keys of maps are checked by their rule. zod checks values.

import type { z } from "zod";
import { fault, type Fault } from "../read/fault";
import { keyOfOtherTool } from "./other-tools";
import { isName } from "../grammar/names";
import { bareKey, nearest } from "../grammar/nearest";
import { quoted, type Path } from "../issue";
import { TEXT_LIMITS } from "../limits";
import { plannedKey } from "./planned";
import { app, KIND_SCHEMAS } from "../schema/schema";
import { below, keyRule, knownKeys } from "../schema/lookup";

const KINDS = { services: KIND_SCHEMAS.service, jobs: KIND_SCHEMAS.job, daemons: KIND_SCHEMAS.daemon } as const;
const WORKLOAD_KEYS = [...new Set(Object.values(KINDS).flatMap(knownKeys))];
/** The keys of a workload that contain keys themselves, each with those keys. */
const BLOCKS = new Map(
  Object.values(KINDS).flatMap((kind) => knownKeys(kind).map((key) => [key, knownKeys(below(kind, key))] as const)),
);

const shown = (key: string): string => (/^[\w.<-]{1,60}$/.test(key) ? `\`${key}\`` : quoted(key));

/** How many unknown keys of one text still get a suggestion. More issues are not shown. */
export interface Suggestions {
  left: number;
}

export const suggestions = (): Suggestions => ({ left: 2 * TEXT_LIMITS.issues });

/** Returns the fault of a key that its object does not know, with what was most likely meant. */
export function unknownKey(schema: z.ZodType | null, path: Path, key: string, hints: Suggestions): Fault {
  const at = [...path, key];
  if (hints.left-- <= 0) return fault(at, `${shown(key)} is not a key here`, null, "key");
  const planned = plannedKey(key);
  // Compose has `volumes` and `secrets` at the top as well.
  if (planned !== null && (path.length === 0 || isWorkload(path))) {
    const instead = planned.instead === null ? null : `until then: ${planned.instead}`;
    return fault(at, `${shown(key)} is not built yet`, instead, "key");
  }
  const known = knownKeys(schema);
  const near = nearest(key, known);
  if (near !== null && bareKey(near) === bareKey(key)) {
    return fault(at, `${shown(key)} is not a key here`, `did you mean \`${near}\`?`, "key");
  }
  const owners = isWorkload(path)
    ? Object.entries(KINDS)
        .filter(([, kind]) => knownKeys(kind).includes(key))
        .map(([kind]) => kind)
    : [];
  if (owners.length > 0)
    return fault(at, `only ${owners.join(" and ")} have ${shown(key)}`, WRONG_KIND.get(key) ?? null, "key");
  const other = keyOfOtherTool(key);
  if (other !== null) {
    const whose = other.tool === "others" ? "is not a key here" : `is ${other.tool}'s word`;
    return fault(at, `${shown(key)} ${whose}`, other.hint, "key");
  }
  const nested =
    path.length === 0 && near === "app" ? " A workload stands under `services`, two spaces further in" : "";
  if (near !== null) return fault(at, `${shown(key)} is not a key here`, `did you mean \`${near}\`?${nested}`, "key");
  return fault(at, `${shown(key)} is not a key here`, elsewhere(path, key) ?? `known: ${known.join(", ")}`, "key");
}

/** Returns whether the path is a workload (`services.api`), or the whole of a job that came without a file. */
const isWorkload = (path: Path): boolean =>
  path.length === 0
    ? false
    : path.length === 1
      ? path[0] === "job"
      : path.length === 2 && Object.hasOwn(KINDS, path[0] ?? "");

/** Returns whether a key of a workload stands where workloads' names do, as after too little indentation. */
const isMisplaced = (path: Path, key: string, item: unknown): boolean =>
  path.length === 1 &&
  Object.hasOwn(KINDS, path[0] ?? "") &&
  WORKLOAD_KEYS.includes(key) &&
  (typeof item !== "object" || item === null || Array.isArray(item));

const WRONG_KIND = new Map(
  Object.entries({
    restart: "a job has `retries`",
    replicas: "a daemon runs once on every node; a job has `nodes`",
    retries: "a service has `restart`",
    nodes: "a service has `replicas`",
    after: "services need no order: they find each other by `ORCH_ADDR_<WORKLOAD>`",
  }),
);

/** Returns the hint for a right key on a wrong level, which is what a slip of indentation makes; null if it is none. */
function elsewhere(path: Path, key: string): string | null {
  if (key.startsWith("x-")) return "keys that begin with `x-` hold anchors at the top of the file";
  if (path.length === 0) {
    if (WORKLOAD_KEYS.includes(key)) return `it belongs to a workload: \`services: { NAME: { ${key}: … } }\``;
    return isName(key) ? "workloads stand under `services`, `jobs` or `daemons`, two spaces further in" : null;
  }
  if (knownKeys(app).includes(key)) return "it stands at the top of the file";
  const parent = WORKLOAD_KEYS.find((each) => BLOCKS.get(each)?.includes(key));
  if (parent !== undefined) return `it stands under \`${parent}\``;
  return WORKLOAD_KEYS.includes(key) && path.length > 2 ? "it stands one level up, in the workload itself" : null;
}

/**
 * Returns faults of keys in maps with free keys: keys that break the map's rule, or look like a slip of a known key
 * beside them.
 */
export function keyFaults(schema: z.ZodType | null, value: unknown, path: Path = [], hints = suggestions()): Fault[] {
  if (schema === null || typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, i) => keyFaults(below(schema, i), item, [...path, i], hints));
  const rule = keyRule(schema);
  const known = knownKeys(schema);
  return Object.entries(value).flatMap(([key, item]) => {
    const found = keyFaults(below(schema, key), item, [...path, key], hints);
    if (rule === null || known.includes(key)) return found;
    if (
      known.length > 0 &&
      (keyOfOtherTool(key) !== null ||
        (key.length > 3 && !key.includes(".") && hints.left > 0 && nearest(key, known) !== null) ||
        typeof item === "object")
    )
      return [unknownKey(schema, path, key, hints)];
    if (isMisplaced(path, key, item)) {
      const hint = `\`${key}\` belongs to a workload: it stands two spaces further in, below the workload's name`;
      return [fault([...path, key], "is not the name of a workload here", hint, "key")];
    }
    const read = rule(key);
    return read.is === "parsed" ? found : [fault([...path, key], read.message, read.hint, "key"), ...found];
  });
}
