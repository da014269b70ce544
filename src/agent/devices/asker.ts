// How probes ask what may hang or is slow: a child of this program, and vendors' tools.

import { join } from "node:path";
import { Answerer } from "../../os/process/answerer";
import { exists } from "../../os/files/files";
import { selfCommand } from "../../os/self";
import { createTool, type Tool } from "../../os/process/tool";
import type { LookLimits } from "./device";

export interface Asker<T> {
  /** What the child saw, or why it could not tell. */
  ask(): Promise<T | string>;
  close(): void;
}

/** A child that looks for a vendor at a place: its library's path, or the root of the machine's files. */
export function createAsker<T>(vendor: string, place: string, limits: LookLimits): Asker<T> {
  const answerer = new Answerer([...selfCommand(), "gpu-probe", vendor, place]);
  return {
    async ask() {
      const answer = await answerer.ask(null, answerer.fresh ? limits.first_ms : limits.later_ms);
      return answer.is === "failed" ? answer.why : (answer.value as T);
    },
    close: () => answerer.close(),
  };
}

/** A tool where a person says it is, or in one of its usual places below a root; `null` while it is in none. */
export function toolAt(root: string, named: string | null, usual: readonly string[]): () => Tool | null {
  let tool: Tool | null = null;
  return () => {
    const path = named ?? usual.map((one) => join(root, one)).find((one) => exists(one)) ?? null;
    if (path === null || tool?.path === path) return path === null ? null : tool;
    tool = createTool(path);
    return tool;
  };
}

/** After how many looks something slow is asked again that left questions open. */
const AGAIN_AFTER = 100;

/** What a slow tool tells of a set of cards: it is asked once for each set, and now and then until it told all. */
export function onceForEach<C, T>(
  nameOf: (cards: readonly C[]) => string,
  ask: (cards: readonly C[]) => Promise<{ readonly told: T; readonly complete: boolean }>,
): (cards: readonly C[]) => Promise<T> {
  let known: { readonly of: string; readonly told: T; readonly complete: boolean; looks: number } | null = null;
  return async (cards) => {
    const of = nameOf(cards);
    if (known?.of === of && (known.complete || known.looks++ < AGAIN_AFTER)) return known.told;
    known = { of, looks: 0, ...(await ask(cards)) };
    return known.told;
  };
}

/** A look that is asked for while one is out is that one. */
export function oneAtATime<T>(look: () => Promise<T>): () => Promise<T> {
  let looking: Promise<T> | null = null;
  return () => {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  };
}
