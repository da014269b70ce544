// How a request and a start are refused: thrown with words for people, made an answer or a line in one place.

import type { Issue } from "../spec/issue";
import { ERROR_STATUS, type ErrorBody, type ErrorCode } from "../wire/api/errors";

/** Why a request is refused; handlers and transactions throw it. */
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

/** The one form of every error that leaves the server. */
export function errorAnswer(code: ErrorCode, message: string, hint: string | null, issues: readonly Issue[]): Response {
  const body: ErrorBody = { error: { code, message, hint, issues: [...issues] } };
  return Response.json(body, { status: ERROR_STATUS[code] });
}

/** Why a server did not start, in one line, and what to do about it. */
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
