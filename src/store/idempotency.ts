// Answers kept by key, so that a change that was sent twice, after a crash or a lost answer, has one effect.

import type { Database } from "bun:sqlite";
import { HOUSE_LIMITS } from "../core/limits";
import type { Ms } from "../core/units";
import { IdempotencyError } from "./errors";
import type { Idempotency } from "./store";

/** How long an answer is kept. */
export const ANSWER_KEPT_MS: Ms = HOUSE_LIMITS.idempotency_ms;

export interface KeptAnswer {
  readonly principal: string;
  readonly key: string;
  readonly request_hash: string;
  /** The answer as JSON; null if there was none. */
  readonly response: string | null;
  readonly revision: number;
}

/** Returns one text for (principal, key). Neither contains a zero character, so the parts cannot be confused. */
export const answerKey = (idempotency: Idempotency): string => `${idempotency.principal}\0${idempotency.key}`;

/** Returns the value that the first request was answered with. Throws if this is another request. */
export function replay(kept: KeptAnswer, asked: Idempotency): unknown {
  if (kept.request_hash !== asked.request_hash) {
    throw new IdempotencyError(`the Idempotency-Key ${asked.key} was used for another request`);
  }
  return kept.response === null ? undefined : JSON.parse(kept.response);
}

/** Makes a function that reads kept answers from the database. */
export function answersIn(db: Database): (asked: Idempotency) => KeptAnswer | null {
  const select = db.query<KeptAnswer, [string, string]>(
    "select principal, key, request_hash, response, revision from idempotency where principal = ? and key = ?",
  );
  return (asked) => select.get(asked.principal, asked.key);
}
