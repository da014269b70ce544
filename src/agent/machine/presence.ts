// Looks whether this node has what work needs: an account, or a directory as that account sees it. A look never blocks
// the agent: where it may hang, or needs another account, a child process looks, and has a deadline.

import { needKey, type Need, type Presence } from "../../core/pass/presence";
import { stateOfDirectory } from "../../os/files/files";
import { isFar } from "../../os/files/near";
import { startCommand, systemTool, type RunningCommand } from "../../os/process/spawn";
import type { Accounts, Standing } from "./account";

export interface Looker {
  /** Looks once. Whoever asks for the same while a look is under way gets the result of that one. */
  look(need: Need): Promise<Presence>;
}

const LOOK_MS = 4_000;
/** How many looks run at once of paths that are near, and of those that may hang. */
const AT_ONCE = 4;
/** How many children that hang in the kernel may be left. With so many, nothing that may hang is looked at. */
const MOST_STUCK = 16;

/** Enters the directory as a task would. The codes are those of `STATES`. */
const ENTER = 'cd -- "$1" 2>/dev/null && exit 0; [ -e "$1" ] || exit 10; [ -d "$1" ] || exit 11; exit 12';
const STATES: Readonly<Record<number, Presence>> = { 0: "there", 10: "missing", 11: "no_directory", 12: "closed" };

export function createLooker(
  accounts: Pick<Accounts, "look">,
  setpriv = systemTool("setpriv"),
  look_ms = LOOK_MS,
): Looker {
  const under_way = new Map<string, Promise<Presence>>();
  const stuck = new Map<string, RunningCommand>();
  const [near, far] = [createLane(AT_ONCE), createLane(AT_ONCE)];

  async function directory(path: string, standing: Extract<Standing, { is: "there" }>): Promise<Presence> {
    const { account, switched } = standing;
    const isNear = !isFar(path);
    if (isNear && !switched) return stateOfDirectory(path);
    if (switched && setpriv === null) return "unknown";
    const shell = ["/bin/sh", "-c", ENTER, "sh", path];
    const { uid, gid } = account;
    const argv = switched
      ? [setpriv ?? "", `--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--", ...shell]
      : shell;
    return isNear ? near(() => ask(path, argv)) : far(() => ask(path, argv));
  }

  async function ask(path: string, argv: readonly string[]): Promise<Presence> {
    for (const [key, child] of stuck) if (child.ended()) stuck.delete(key);
    const key = argv.join("\n");
    if (stuck.has(key) || (stuck.size >= MOST_STUCK && isFar(path))) return "silent";
    const child = startCommand(argv, look_ms);
    const result = await child.result;
    if (!child.ended()) stuck.set(key, child);
    if (result.is === "failed") return child.pid === null ? "unknown" : "silent";
    return STATES[result.code] ?? "unknown";
  }

  async function look({ account, path }: Need): Promise<Presence> {
    const standing = await accounts.look(account);
    if (standing.is !== "there") return path === null ? standing.is : "unknown";
    return path === null ? "there" : directory(path, standing);
  }

  return {
    look(need) {
      const key = needKey(need);
      return under_way.getOrInsertComputed(key, () => look(need).finally(() => under_way.delete(key)));
    },
  };
}

/** Returns a function that runs works, so many at once, in the order in which they come. */
function createLane(at_once: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= at_once) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}
