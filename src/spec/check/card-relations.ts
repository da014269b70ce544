// Keys of a GPU request that contradict each other: a share larger than any accepted card, connections of a single
// card.

import { formatGpu } from "../../core/format";
import type { Bytes } from "../../core/units";
import { fault, type Fault } from "../read/fault";
import { fieldsOf, get, has, type Fields } from "./fields";
import { readCardMemory, readShare } from "../grammar/gpu";
import type { Parsed, Path } from "../issue";

/** Returns the faults within `resources.gpu` of one workload, as it is written. */
export function cardFaults(fields: Fields, path: Path): Fault[] {
  const gpu = fieldsOf(get(fieldsOf(get(fields, "resources")), "gpu"));
  const at = [...path, "resources", "gpu"];
  const count = has(gpu, "count") ? get(gpu, "count") : 1;
  const faults: Fault[] = [];
  if (get(gpu, "linked") === true && count === 1) {
    const shared = has(gpu, "share") ? "a share of one card" : "one card";
    const hint = "remove it, or ask for more: `count: 2`";
    faults.push(fault([...at, "linked"], `${shared} has nothing to be connected with`, hint));
  }
  if (count === 0 && has(gpu, "share")) {
    faults.push(
      fault([...at, "share"], "is a share of no card", "`count` says of how many cards: leave it out for one"),
    );
  }
  const share = sizeOf(get(gpu, "share"), readShare);
  const memory = sizeOf(get(gpu, "memory"), readCardMemory);
  if (share !== null && memory !== null && memory.max !== null && share > memory.max) {
    const largest = showMemory(memory.max);
    faults.push(
      fault(
        [...at, "share"],
        `is more than the largest card of \`memory\` has, ${largest}`,
        `at most \`share: ${largest}\``,
      ),
    );
  }
  return faults;
}

const showMemory = (bytes: Bytes): string =>
  formatGpu({ count: 1, models: [], vendor: null, memory_min_bytes: bytes, memory_max_bytes: null });

/** Returns a size, or null if there is none or it cannot be read. The schema reports a size that cannot be read. */
function sizeOf<T>(value: unknown, read: (value: string | number) => Parsed<T>): T | null {
  if (typeof value !== "string" && typeof value !== "number") return null;
  const size = read(value);
  return size.is === "parsed" ? size.value : null;
}
