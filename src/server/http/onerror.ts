// Turns every error that a handler throws into a refusal: a foreseen error in its own words, a bug with an id that the
// log contains.

import { traceOf } from "../../os/errors";
import { IdempotencyError, StorageError } from "../../store/errors";
import type { Issue } from "../../spec/issue";
import type { ErrorCode } from "../../wire/api/errors";
import { RefusedError } from "../refused";

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
  readonly issues: readonly Issue[];
}

const STORAGE: Readonly<Record<StorageError["code"], ErrorCode>> = {
  storage_full: "storage_full",
  storage_failed: "unavailable",
  too_large: "too_large",
};

export function refusalOf(error: unknown, log: { seed(): string; say(line: string): void }): Refusal {
  if (error instanceof RefusedError) return error;
  if (error instanceof IdempotencyError) {
    return {
      code: "key_reused",
      message: error.message,
      hint: "Repeat the first request as it was, byte for byte, or use a fresh Idempotency-Key",
      issues: [],
    };
  }
  if (error instanceof StorageError) {
    log.say(`storage: ${error.message}`);
    return { code: STORAGE[error.code], message: error.message, hint: error.hint, issues: [] };
  }
  const id = log.seed().slice(0, 10);
  log.say(`bug ${id}: ${traceOf(error)}`);
  return {
    code: "internal",
    message: `the server failed; its log says more under ${id}`,
    hint: "This is a bug of orch: please report it with that part of the log",
    issues: [],
  };
}
