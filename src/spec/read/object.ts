// Copies a job that came as an object, over the API or from flags, under the same limits as one that came from a file.

import type { z } from "zod";
import { fault, type Fault } from "./fault";
import type { Path } from "../issue";
import { TEXT_LIMITS } from "../limits";
import { readScalarText } from "./text";
import { below, wantsText } from "../schema/lookup";

interface Copy {
  readonly faults: Fault[];
  nodes: number;
}

/** Copies a value along its schema. Keys that are `undefined` count as not given. */
export function readObject(value: unknown, schema: z.ZodType, path: Path): { value: unknown; faults: Fault[] } {
  const copy: Copy = { faults: [], nodes: 0 };
  const out = copyNode(copy, value, schema, path);
  if (copy.nodes > TEXT_LIMITS.nodes)
    return { value: {}, faults: [fault(path, `has more than ${TEXT_LIMITS.nodes} values`)] };
  return { value: out, faults: copy.faults };
}

function copyNode(copy: Copy, value: unknown, schema: z.ZodType | null, path: Path): unknown {
  if (++copy.nodes > TEXT_LIMITS.nodes) return null;
  if (typeof value === "object" && value !== null) {
    if (path.length > TEXT_LIMITS.depth) {
      copy.faults.push(fault(path, `is nested deeper than ${TEXT_LIMITS.depth}`));
      return null;
    }
    return Array.isArray(value)
      ? Array.from(value, (item, i) => copyNode(copy, item, below(schema, i), [...path, i]))
      : copyFields(copy, value, schema, path);
  }
  if ((typeof value === "number" || typeof value === "boolean") && wantsText(schema)) return String(value);
  if (typeof value === "string") {
    const checked = readScalarText(value);
    if (checked.is === "invalid") copy.faults.push(fault(path, checked.message, checked.hint));
  }
  return typeof value === "bigint"
    ? Number(value)
    : typeof value === "function" || typeof value === "symbol"
      ? null
      : value;
}

function copyFields(copy: Copy, value: object, schema: z.ZodType | null, path: Path): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    if (key === "__proto__") copy.faults.push(fault([...path, key], "`__proto__` cannot be a key", null, "key"));
    else out[key] = copyNode(copy, item, below(schema, key), [...path, key]);
  }
  return out;
}
