// What a command does when its output cannot be written: the reader went away, or the disk is full. The file has no
// imports, so that `orch version` loads nothing else.

/** The exit code of a process whose reader went away, as shells show it for SIGPIPE. */
const BROKEN_PIPE = 141;
const FAILED = 1;
/** The one of `orch run` for a fault of orch. */
const OWN = 125;

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EIO: "the device has an error",
  EFBIG: "the file would become too large",
};

export interface LostOutput {
  readonly exit: number;
  /** What is said on standard error: one line, or nothing if the reader went away, as after `| head`. */
  readonly line: string;
}

/** Returns what follows from a failed write on standard output, which of `orch run` (`isJob`) has a code of its own. */
export function lostOutput(
  error: { readonly code?: string | undefined; readonly message: string },
  isJob = false,
): LostOutput {
  if (error.code === "EPIPE") return { exit: BROKEN_PIPE, line: "" };
  const why = WORDS[error.code ?? ""] ?? error.message;
  return { exit: isJob ? OWN : FAILED, line: `orch: standard output cannot be written: ${why}\n` };
}
