// How much of the server one principal or one address may use at once, so that nobody can use up what all share. The
// numbers are QUOTAS of core/limits.ts.

import { QUOTAS, type Quota } from "../../core/limits";
import type { Ms } from "../../core/units";
import { RefusedError } from "../refused";

export interface Quotas {
  /**
   * Counts one use. Returns the function that ends the use. Throws RefusedError if the principal, the address or all
   * together use the most that they may.
   */
  take(what: Quota, principal: string | null, source: string): () => void;
  /** Counts a use that ends by itself after a minute. */
  spend(what: Quota, principal: string | null, source: string): void;
}

const WINDOW_MS: Ms = 60_000;

export function createQuotas(clock: () => Ms): Quotas {
  const used = new Map<string, number>();
  let spent = new Map<string, number>();
  let since_ms = clock();

  function keysOf(
    what: Quota,
    principal: string | null,
    source: string,
  ): readonly (readonly [string, number, string])[] {
    const { each, source: ofSource, all } = QUOTAS[what];
    return [
      ...(principal === null || each === null ? [] : [[`${what} by ${principal}`, each, principal] as const]),
      [`${what} from ${source}`, ofSource, `the address ${source}`],
      [what, all, "this server"],
    ];
  }

  function refuseFull(counts: Map<string, number>, what: Quota, principal: string | null, source: string): string[] {
    const keys = keysOf(what, principal, source);
    const full = keys.find(([key, most]) => (counts.get(key) ?? 0) >= most);
    if (full !== undefined) {
      const [, most, whose] = full;
      throw new RefusedError("too_many", `${whose} has ${most} ${QUOTAS[what].noun}`, QUOTAS[what].hint);
    }
    return keys.map(([key]) => key);
  }

  return {
    take(what, principal, source) {
      const keys = refuseFull(used, what, principal, source);
      for (const key of keys) used.set(key, (used.get(key) ?? 0) + 1);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        for (const key of keys) {
          const left = (used.get(key) ?? 1) - 1;
          if (left > 0) used.set(key, left);
          else used.delete(key);
        }
      };
    },
    spend(what, principal, source) {
      if (clock() - since_ms >= WINDOW_MS) [spent, since_ms] = [new Map(), clock()];
      for (const key of refuseFull(spent, what, principal, source)) spent.set(key, (spent.get(key) ?? 0) + 1);
    },
  };
}
