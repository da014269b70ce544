// How probes ask something that may hang or is slow: a child process of this program, or a vendor's tool.

import { join } from "node:path";
import { Answerer } from "../../os/process/answerer";
import { exists } from "../../os/files/files";
import { selfCommand } from "../../os/self";
import { createTool, type Tool } from "../../os/process/tool";
import type { LookLimits } from "./device";

export interface Asker<T> {
  /** Returns what the child saw, or why it could not tell. */
  ask(): Promise<T | string>;
  close(): void;
}

/**
 * Makes a child process that looks for a vendor's cards. `place` is the path of the vendor's library, or the root of
 * the machine's files.
 */
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

/**
 * Returns a function that finds a tool: at the path that a person has named, else at the first of the usual places
 * below `root` where it exists. The function returns null while the tool is in none of them.
 */
export function toolAt(root: string, named: string | null, usual: readonly string[]): () => Tool | null {
  let tool: Tool | null = null;
  return () => {
    const path = named ?? usual.map((one) => join(root, one)).find((one) => exists(one)) ?? null;
    if (path === null || tool?.path === path) return path === null ? null : tool;
    tool = createTool(path);
    return tool;
  };
}

/** A slow tool that left questions open is asked again after this many looks. */
const AGAIN_AFTER = 100;

/**
 * Wraps a slow tool: it is asked once for each set of cards, and again after some looks while its answer is incomplete.
 */
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

/** Wraps `look` so that a caller who asks while a look is under way gets the result of that look. */
export function oneAtATime<T>(look: () => Promise<T>): () => Promise<T> {
  let looking: Promise<T> | null = null;
  return () => {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  };
}
