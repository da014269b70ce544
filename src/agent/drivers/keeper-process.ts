// The process of a keeper, as its agent sees it: how it is started, whether it has ended, and whether the one that made
// a socket still lives.

import { join } from "node:path";
import { answerOf, makeDirSlowly, openToAppendSlowly } from "../../os/files/disk";
import { bootId, isAlive, kernelText } from "../../os/proc";
import { startDetached, SYSTEM_PATH, type Detached } from "../../os/process/spawn";
import { runDirOf } from "../machine/rundir";
import { keeperIn } from "../tasks/living";
import { places } from "../tasks/taskdir";

export interface KeeperCommand {
  readonly data: string;
  readonly version: string;
  /** The argv that starts a keeper; the data directory is added to it. */
  readonly command: readonly string[];
}

export type StartedKeeper =
  { readonly is: "started"; readonly process: Detached } | { readonly is: "failed"; readonly why: string };

/** Starts a keeper, which makes a socket with its pid as the name. */
export async function startKeeper({ data, version, command }: KeeperCommand): Promise<StartedKeeper> {
  const log = await answerOf(openLogSlowly(places(data).keepers, join(data, "keeper.log")));
  if (log.is !== "done") return { is: "failed", why: `no keeper can be started: ${log.why}` };
  const env = { PATH: SYSTEM_PATH, LANG: "C.UTF-8", ORCH_KEEPER_VERSION: version, ...passedOn() };
  return { is: "started", process: startDetached([...command, data], env, log.value) };
}

/** Opens the log of keepers, and makes the directory of their sockets. A disk that hangs must not stop the agent. */
async function openLogSlowly(dir: string, log: string): Promise<number> {
  await makeDirSlowly(dir);
  return openToAppendSlowly(log);
}

/** Returns the variables that decide where the run directory is, which must be the same for the keeper, and traces. */
function passedOn(): Record<string, string> {
  const names = ["XDG_RUNTIME_DIR", "ORCH_TRACE"] as const;
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/**
 * Returns whether the keeper that made the socket of this pid lives. Its socket cannot tell: one that hangs refuses
 * connections like one that is dead. A keeper writes its journal before it makes its socket. Without /proc nothing
 * tells its pid from a stranger's, so it is the socket that counts there.
 */
export function isKeeperAlive({ data, command }: KeeperCommand, pid: number): boolean {
  if (process.platform !== "linux") return false;
  const noted = keeperIn(runDirOf(data), pid);
  if (noted !== null) return noted.boot_id === bootId() && isAlive(pid, noted.start);
  // The run directory was lost, or is another one now. The process still shows whether it was started as a keeper here.
  const tail = ["", ...command.slice(-1), data, ""].join("\0");
  return kernelText(`/proc/${pid}/cmdline`)?.endsWith(tail) === true;
}
