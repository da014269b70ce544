// The errors by which a request or a start is refused. Each contains a message for people. `RefusedError` becomes the
// answer to the request, and `StartError` ends the command that starts the server.

import type { Issue } from "../spec/issue";
import { ERROR_STATUS, type ErrorBody, type ErrorCode } from "../wire/api/errors";

/** A request is refused. Handlers and transactions throw this error. */
export class RefusedError extends Error {
  override name = "RefusedError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint: string | null = null,
    readonly issues: readonly Issue[] = [],
  ) {
    super(message);
  }
}

export const notFound = (what: string, hint: string | null = null): RefusedError =>
  new RefusedError("not_found", what, hint);

/** When somebody who asked too much may ask again. */
const RETRY_AFTER_S = "10";

/** What an answer with a code says in its headers. */
const HEADERS: Partial<Record<ErrorCode, Record<string, string>>> = {
  too_many: { "retry-after": RETRY_AFTER_S },
  unauthenticated: { "www-authenticate": "Bearer" },
};

/** Returns the answer for an error. Every error that leaves the server has this form. */
export function errorAnswer(code: ErrorCode, message: string, hint: string | null, issues: readonly Issue[]): Response {
  const body: ErrorBody = { error: { code, message, hint, issues: [...issues] } };
  return Response.json(body, { status: ERROR_STATUS[code], headers: HEADERS[code] ?? {} });
}

/** A server did not start. The error contains the reason in one line, and a hint. */
export class StartError extends Error {
  override name = "StartError";
  /** The exit code of the process. */
  readonly exit = 1;
  constructor(
    message: string,
    readonly hint: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
