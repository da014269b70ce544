// Reads the answer to a new run without its schema: `orch run -d` is called in loops of scripts, and to load and build
// the schemas of runs takes longer than all the rest of it.

import type { WireText } from "../text";
import type { RunAnswer } from "./runs";

/** Reads what `runAnswer` reads, and nothing else. */
export function readRunAnswer(text: string): WireText<RunAnswer> {
  const value = valueIn(text);
  if (value === null) return { is: "unreadable", why: "it is not JSON of a run" };
  const { run, name, state, nodes = [] } = value;
  if (!Number.isSafeInteger(run) || Number(run) < 0) return { is: "unreadable", why: "run: it is no number of a run" };
  if (typeof name !== "string" || typeof state !== "string") return { is: "unreadable", why: "name, state: no texts" };
  if (!Array.isArray(nodes) || !nodes.every((one) => typeof one === "string")) {
    return { is: "unreadable", why: "nodes: no list of texts" };
  }
  return { is: "read", value: { run: Number(run), name, state, nodes } };
}

function valueIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
