// Why a commit is refused when the disk or the request is at fault. The server turns these errors into answers.

/**
 * The disk failed, the server is stopping, or a transaction is too large. The transaction was not stored, unless `code`
 * is `storage_failed`: then it may have been.
 */
export class StorageError extends Error {
  override name = "StorageError";
  constructor(
    /** After `storage_failed` a restart may show that the batch was written after all. The other codes are certain. */
    readonly code: "storage_full" | "storage_failed" | "too_large",
    message: string,
    readonly hint: string | null = null,
  ) {
    super(message);
  }
}

/** The same idempotency key came with another request. */
export class IdempotencyError extends Error {
  override name = "IdempotencyError";
  readonly code = "key_reused";
}

/** What a failure of SQLite means for the store. */
export type SqliteFailure =
  /** No room: the batch is refused, a later one may fit. */
  | { readonly is: "full"; readonly message: string }
  /** The batch is refused this time: another program has locked the file, or a write failed. */
  | { readonly is: "refused"; readonly message: string }
  /** A row breaks a rule of its table: a bug of one transaction, not of the whole batch. */
  | { readonly is: "bad_row"; readonly message: string }
  /** The content of the disk is no longer known. Nothing may be written on top of it. */
  | { readonly is: "fatal"; readonly message: string };

/** Sorts an error of bun:sqlite or of a file; an error of anything else is not the disk's and is thrown again. */
export function failureOf(error: unknown): SqliteFailure {
  const code = codeOf(error);
  if (code === null) throw error;
  const message = `${code}: ${(error as Error).message}`;
  if (/^(SQLITE_FULL|ENOSPC|EDQUOT)$/.test(code)) return { is: "full", message };
  if (/^(SQLITE_(BUSY|LOCKED|NOMEM|CANTOPEN|IOERR_WRITE$)|E[A-Z]+$)/.test(code)) return { is: "refused", message };
  if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE|ERROR$)/.test(code)) return { is: "bad_row", message };
  return { is: "fatal", message };
}

/**
 * Returns the code of an error of SQLite or of the operating system, such as `SQLITE_FULL` or `ENOSPC`; null for
 * others.
 */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  const { code } = error;
  return typeof code === "string" && /^(SQLITE_|E[A-Z0-9]+$)/.test(code) ? code : null;
}
