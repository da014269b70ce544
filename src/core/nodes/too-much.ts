// A node that gives away more than its machine has: it is taken at its word, and that is said.

import { formatBytes } from "../format";
import type { Amounts } from "../model/promised";

interface Has {
  readonly cores?: number | null | undefined;
  readonly memory_bytes?: number | null | undefined;
}

/** Returns what the node gives away and does not have, one clause each. */
export function tooMuch(gives: Pick<Amounts, "cpu_milli" | "memory_bytes">, { cores, memory_bytes }: Has): string[] {
  const said: string[] = [];
  if (typeof cores === "number" && gives.cpu_milli > cores * 1_000)
    said.push(`${gives.cpu_milli / 1_000} cores are given away, and the machine has ${cores}`);
  if (typeof memory_bytes === "number" && gives.memory_bytes > memory_bytes) {
    const [given, has] = [formatBytes(gives.memory_bytes), formatBytes(memory_bytes)];
    said.push(`${given} of memory are given away, and the machine has ${has}`);
  }
  return said;
}
