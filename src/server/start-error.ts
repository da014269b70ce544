// Why a server did not start, in one line, and what to do about it.

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
