// The directory of a database. It is made if it is missing, and closed to other accounts. A directory on a network file
// system, of another user, or that cannot be written is refused.

import { chmodSync, lstatSync, mkdirSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { networkFileSystem } from "../os/files/filesystem";
import { codeOf } from "./errors";

/** Why a store was not opened. The database is as it was. */
export interface StoreRefusal {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly message: string;
  readonly hint: string;
}

export type RefusalCode =
  | "held"
  | "network"
  | "not_private"
  | "not_writable"
  | "corrupt"
  | "newer"
  | "old_copy"
  | "other_host"
  | "missing"
  | "bad_source"
  | "migration"
  | "runtime";

export function refuse(code: RefusalCode, message: string, hint: string): StoreRefusal {
  return { ok: false, code, message, hint };
}

export const DATA_HINT = "choose a directory of this user on a local disk with --data DIR or ORCH_DATA";

export type Prepared = { readonly ok: true; readonly dir: string; readonly notices: readonly string[] } | StoreRefusal;

/**
 * Makes the directory if it is missing, and closes it to other accounts. The returned `dir` contains no symbolic links.
 */
export function prepareDirectory(asked: string): Prepared {
  try {
    mkdirSync(asked, { recursive: true, mode: 0o700 });
    const dir = realpathSync(asked);
    const network = networkFileSystem(dir);
    if (network !== null) {
      return refuse("network", `${dir} lies on a network file system (${network}), where databases break`, DATA_HINT);
    }
    const { uid } = statSync(dir);
    const me = process.getuid?.() ?? uid;
    if (me !== 0 && uid !== me) {
      return refuse("not_private", `${dir} belongs to another user (uid ${uid})`, DATA_HINT);
    }
    return { ok: true, dir, notices: tighten(dir) };
  } catch (error) {
    const code = codeOf(error);
    if (code === null) throw error;
    return refuse("not_writable", `${asked} cannot be used: ${(error as Error).message}`, DATA_HINT);
  }
}

/** Takes away other people's rights to the directory and its files. Returns what was open. */
function tighten(dir: string): string[] {
  const notices: string[] = [];
  if ((statSync(dir).mode & 0o077) !== 0) {
    chmodSync(dir, 0o700);
    notices.push(`${dir} was open to other users; it is closed now`);
  }
  for (const name of readdirSync(dir)) {
    const file = join(dir, name);
    const found = lstatSync(file);
    if (!found.isFile() || (found.mode & 0o077) === 0) continue;
    chmodSync(file, 0o600);
    notices.push(`${file} was readable or writable for other users; it is closed now: if it holds a key, replace it`);
  }
  return notices;
}
