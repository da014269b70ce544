// Every process that orch starts: short commands with a time limit, the keeper, and tasks. A task's process leads a
// session of its own and writes to files. The result tells a process that ended from one that could not start.

import { closeSync, fchmodSync, fchownSync } from "node:fs";
import { within } from "../clock";
import { basename, dirname } from "node:path";
import { exists } from "../files/files";
import { openInput, openOutput } from "../files/task-files";
import { messageOf } from "../errors";
import { own } from "./own";
import { signalName } from "./signals";

export type CommandResult =
  | { readonly is: "done"; readonly code: number; readonly out: string; readonly err: string }
  | { readonly is: "failed"; readonly why: string };

/** Runs a short command of the system and returns its output. The command is killed when its time is over. */
export const runCommand = (argv: readonly string[], timeout_ms: number): Promise<CommandResult> =>
  startCommand(argv, timeout_ms).result;

export interface RunningCommand {
  readonly pid: number | null;
  /** Resolves soon after the time limit at the latest, even if the process hangs in the kernel and does not end. */
  readonly result: Promise<CommandResult>;
  ended(): boolean;
}

/** How long a killed process may take to be gone. */
const KILLED_MS = 500;

/** Starts a short command, for callers who need to know whether the process is really gone. */
export function startCommand(argv: readonly string[], timeout_ms: number): RunningCommand {
  try {
    const child = Bun.spawn([...argv], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: timeout_ms,
      killSignal: "SIGKILL",
      cwd: "/",
      env: { PATH: SYSTEM_PATH, LANG: "C.UTF-8" },
    });
    own(child);
    const late: CommandResult = { is: "failed", why: `${argv[0]} did not end within ${timeout_ms} ms` };
    const done = outputOf(child)
      .then((result): CommandResult => {
        if (child.signalCode === null || result.is === "failed") return result;
        if (child.signalCode === "SIGKILL") return late;
        return { is: "failed", why: `${argv[0]} was ended by ${child.signalCode}` };
      })
      .catch(couldNotRun);
    return {
      pid: child.pid,
      result: within(timeout_ms + KILLED_MS, done, late),
      ended: () => child.exitCode !== null || child.signalCode !== null,
    };
  } catch (error) {
    return { pid: null, result: Promise.resolve(couldNotRun(error)), ended: () => true };
  }
}

async function outputOf(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Promise<CommandResult> {
  const [out, err, code] = await Promise.all([
    textUpTo(child, child.stdout),
    textUpTo(child, child.stderr),
    child.exited,
  ]);
  if (out === null || err === null) return { is: "failed", why: `it printed more than ${MOST_OUTPUT_BYTES} bytes` };
  return { is: "done", code, out, err };
}

/** The most output of a tool. The longest that is known is some 100 KiB. */
const MOST_OUTPUT_BYTES = 8 * 1024 * 1024;

/** Returns the output of a process. A process that prints more than the bound is killed, and the result is null. */
async function textUpTo(
  child: Bun.Subprocess<"ignore", "pipe", "pipe">,
  stream: ReadableStream<Uint8Array>,
): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MOST_OUTPUT_BYTES) {
      child.kill("SIGKILL");
      return null;
    }
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

const couldNotRun = (error: unknown): CommandResult => ({
  is: "failed",
  why: messageOf(error),
});

export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Returns the path of a program of the system, or null if the machine has none. */
export const systemTool = (name: string): string | null =>
  [`/usr/bin/${name}`, `/bin/${name}`].find((path) => exists(path)) ?? null;

export interface TaskCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The control group to join before executing, or null. */
  readonly cgroup: string | null;
  /** The file that the process reads from descriptor 0, or null: it reads nothing. */
  readonly stdin: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /**
   * The account whose group may write to the two output files, and read the input. Null: they are for this process's
   * account alone.
   */
  readonly writer: { readonly gid: number } | null;
  /** A file that the process finds open for appending as descriptor 3, or null. */
  readonly notes: string | null;
}

export interface ProcessExit {
  readonly exit_code: number | null;
  /** The signal's name without SIG. */
  readonly signal: string | null;
  readonly max_rss_bytes: number | null;
}

export type Launched =
  | { readonly is: "started"; readonly pid: number }
  /**
   * `code` is what a shell would exit with: 127 for a program that was not found, 126 for one that cannot be executed,
   * else null. `lacks`: the program is not there or not executable, its arguments are none that any system takes, or
   * this system had nothing left for it (descriptors, processes, memory, room for its output).
   */
  | { readonly is: "failed"; readonly code: number | null; readonly lacks: Lack; readonly why: string };
export type Lack = "program" | "arguments" | "system";

/** Starts a task's process. `onExit` is called once, and never before this function returns. */
export function launch(task: TaskCommand, onExit: (exit: ProcessExit) => void): Launched {
  const { stdin, stdout, stderr, writer, notes } = task;
  return execute(
    task,
    {
      stdin: stdin === null ? null : () => openFor(writer, stdin, "input"),
      stdout: () => openFor(writer, stdout, "output"),
      stderr: () => openFor(writer, stderr, "output"),
      notes: notes === null ? null : () => openFor(writer, notes, "output"),
    },
    onExit,
  );
}

/** Opens a file that is handed to a process, and lets the process's account use it. */
export function openFor(writer: TaskCommand["writer"], path: string, as: "input" | "output"): number {
  const fd = (as === "input" ? openInput : openOutput)(dirname(path), basename(path));
  if (writer !== null) give(fd, writer.gid, as === "input" ? 0o640 : 0o660);
  return fd;
}

/** How the descriptors of a process are opened. They are closed here once it has them. */
export interface Descriptors {
  readonly stdin: (() => number) | null;
  readonly stdout: () => number;
  readonly stderr: () => number;
  readonly notes: (() => number) | null;
}

/** Starts a process with these descriptors. `onExit` is called once, and never before this function returns. */
export function execute(
  command: Pick<TaskCommand, "argv" | "env" | "cwd" | "cgroup">,
  streams: Descriptors,
  onExit: (exit: ProcessExit) => void,
): Launched {
  const fds: number[] = [];
  const open = (stream: () => number): number => {
    const fd = stream();
    fds.push(fd);
    return fd;
  };
  try {
    const stdio: ["ignore" | number, number, number, ...number[]] = ["ignore", -1, -1];
    let what = "its standard input";
    try {
      if (streams.stdin !== null) stdio[0] = open(streams.stdin);
      what = "its output";
      [stdio[1], stdio[2]] = [open(streams.stdout), open(streams.stderr)];
      if (streams.notes !== null) stdio.push(open(streams.notes));
    } catch (error) {
      return { is: "failed", code: null, lacks: "system", why: `${what}: ${messageOf(error)}` };
    }
    const child = Bun.spawn([...command.argv], {
      stdio,
      env: command.env,
      cwd: command.cwd,
      detached: true,
      ...(command.cgroup === null ? {} : { cgroup: command.cgroup }),
      onExit: (subprocess, code) =>
        onExit({
          exit_code: subprocess.signalCode === null ? code : null,
          signal: subprocess.signalCode === null ? null : signalName(subprocess.signalCode),
          max_rss_bytes: subprocess.resourceUsage()?.maxRSS ?? null,
        }),
    });
    own(child);
    return { is: "started", pid: child.pid };
  } catch (error) {
    return couldNot(error, command.argv[0] ?? "");
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/**
 * Lets an account use a file of which it is not the owner: programs open /dev/stdout and /dev/stdin again, but only an
 * owner may take a lease on a file, which keeps others from opening it. The file's directory is closed to all accounts.
 */
export function give(fd: number, gid: number, mode: 0o640 | 0o660): void {
  fchownSync(fd, -1, gid);
  fchmodSync(fd, mode);
}

function couldNot(error: unknown, command: string): Launched {
  const { code, message } = error as NodeJS.ErrnoException;
  const failed = (exit: number | null, lacks: Lack, why: string): Launched => ({
    is: "failed",
    code: exit,
    lacks,
    why,
  });
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return failed(
        127,
        "program",
        command.includes("/")
          ? `${command} is not there (or the interpreter that it names is not)`
          : `the command ${command} is in no directory of PATH`,
      );
    case "EACCES":
    case "EISDIR":
      return failed(126, "program", `${command} is not executable`);
    case "ENOEXEC":
      return failed(126, "program", `${command} is not a program (a script without #!)`);
    case "E2BIG":
    case "ENAMETOOLONG":
    case "EINVAL":
      return failed(126, "arguments", message);
    default:
      return failed(null, "system", message);
  }
}

/** A process that outlives this one. */
export interface Detached {
  readonly pid: number;
  /** Returns how it has ended, or null while it runs. */
  ended(): string | null;
}

/**
 * Starts a process that outlives this one: it leads a session of its own, and its output goes to the descriptor `log`,
 * which is closed here.
 */
export function startDetached(argv: readonly string[], env: Readonly<Record<string, string>>, log: number): Detached {
  try {
    const child = Bun.spawn([...argv], { stdio: ["ignore", log, log], env: { ...env }, cwd: "/", detached: true });
    own(child).unref();
    return {
      pid: child.pid,
      ended: () => {
        if (child.signalCode !== null) return `by ${child.signalCode}`;
        return child.exitCode === null ? null : `with code ${child.exitCode}`;
      },
    };
  } finally {
    closeSync(log);
  }
}

/** Returns the path of a command, looked up as its process would look it up; null if there is none. */
export const findCommand = (name: string, path: string, cwd: string): string | null =>
  Bun.which(name, { PATH: path, cwd });

/**
 * Starts a process that notices the end of this one by the end of its input. `dismiss` tells it to end without acting.
 */
export function startCompanion(argv: readonly string[]): { dismiss(): void } | null {
  try {
    const child = Bun.spawn([...argv], {
      stdio: ["pipe", "ignore", "ignore"],
      env: { PATH: SYSTEM_PATH },
      cwd: "/",
      detached: true,
    });
    own(child);
    return {
      dismiss() {
        const tell = async (): Promise<void> => {
          await child.stdin.write("done\n");
          await child.stdin.end();
        };
        // A companion that has ended already needs no message.
        const gone = (): void => undefined;
        tell().catch(gone);
      },
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}
