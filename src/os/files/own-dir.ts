// Directories that are this account's alone, on a path that nobody else can change: the places of databases, keys,
// records and tokens.

import { chmodSync, closeSync, constants, fchmodSync, fstatSync, lstatSync, mkdirSync, openSync } from "node:fs";
import { readFileSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import { dirname, isAbsolute, join, resolve, sep } from "node:path";
import { messageOf } from "../errors";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

export type OwnDir =
  /** `dir` contains no symbolic links. `notices` say what was open to others and is closed now. */
  | { readonly is: "taken"; readonly dir: string; readonly notices: readonly string[] }
  /** `mend` is the command that helps, or null. */
  | { readonly is: "refused"; readonly why: string; readonly mend: string | null };

type Refused = Extract<OwnDir, { is: "refused" }>;
const refused = (why: string, mend: string | null): Refused => ({ is: "refused", why, mend });

/** The most links on a path, as in the kernel. */
const LINKS_MOST = 40;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
/** The uid of files whose owner a user namespace does not know. */
const UNKNOWN_UID = 65_534;

/**
 * Makes the directory if it is missing and closes it to other accounts. A directory of another account is refused, and
 * so is a path on which somebody but root and this account could put another directory in its place.
 */
export function takeOwnDir(asked: string): OwnDir {
  try {
    const wanted = resolve(asked);
    const before = pathProblem(wanted);
    if (before !== null) return before;
    mkdirSync(wanted, { recursive: true, mode: 0o700 });
    // Looked at again, since another account could have been faster.
    const after = pathProblem(wanted);
    if (after !== null) return after;
    return closeToOthers(realpathSync(wanted));
  } catch (error) {
    return refused(messageOf(error), null);
  }
}

/** Takes the rights of others from a directory that is this account's. */
function closeToOthers(dir: string): OwnDir {
  const fd = openSync(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const { uid, mode } = fstatSync(fd);
    const me = ownUid(uid);
    if (uid !== me) return foreign(dir, uid, me);
    if ((mode & 0o077) === 0) return { is: "taken", dir, notices: [] };
    const closed = changeMode(fd);
    const now = closed ? "it is closed now" : "it cannot be closed, since its file system is read-only";
    return { is: "taken", dir, notices: [`${dir} was open to other users; ${now}`] };
  } finally {
    closeSync(fd);
  }
}

/** Closes a directory to others. Returns false on a file system that is read-only. */
function changeMode(fd: number): boolean {
  try {
    fchmodSync(fd, 0o700);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EROFS") return false;
    throw error;
  }
}

const foreign = (dir: string, uid: number, me: number): Refused =>
  refused(
    `${dir} belongs to another account (uid ${uid})`,
    `run it as that account, or give it to this one: chown -R ${me} ${dir}`,
  );

const ownUid = (otherwise: number): number => process.geteuid?.() ?? otherwise;

/** Returns why somebody else could change what the path leads to, or null. What is missing is not looked at. */
function pathProblem(path: string): Refused | null {
  let rest = path.split(sep).filter((part) => part !== "");
  let at: string = sep;
  for (let links = 0; ;) {
    const last = rest.length === 0;
    const here = lstatSync(at, { throwIfNoEntry: false });
    if (here === undefined) return null;
    const me = ownUid(here.uid);
    if (here.isSymbolicLink()) {
      if (!isTrusted(here, me)) {
        return refused(`${at} is a link of another account (uid ${here.uid})`, `look where it leads: ls -l ${at}`);
      }
      if (++links > LINKS_MOST) return refused(`${path} has too many links`, null);
      const target = readlinkSync(at);
      const from = isAbsolute(target) ? target : join(dirname(at), target);
      rest = [...from.split(sep).filter((part) => part !== ""), ...rest];
      at = sep;
      continue;
    }
    if (!here.isDirectory()) return refused(`${at} is not a directory`, null);
    if (last) return here.uid === me ? null : foreign(at, here.uid, me);
    if (!isTrusted(here, me)) return foreign(at, here.uid, me);
    if ((here.mode & OTHERS_WRITE) !== 0 && (here.mode & STICKY) === 0) {
      return refused(`everybody may write to ${at}, and could put another directory in its place`, `chmod o-w ${at}`);
    }
    at = join(at, rest.shift() ?? "");
  }
}

const isTrusted = ({ uid }: Stats, me: number): boolean =>
  uid === 0 || uid === me || (uid === UNKNOWN_UID && isNamespaced());

/** Returns whether this process lives in a user namespace, in which root's own files may be nobody's. */
function isNamespaced(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
}

/** Closes a file of this account's to others. Returns whether it was open. Links and files of others stay. */
export function closeOwnFile(path: string): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined || !there.isFile() || there.uid !== ownUid(there.uid) || (there.mode & 0o077) === 0) {
    return false;
  }
  chmodSync(path, 0o600);
  return true;
}
