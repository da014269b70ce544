// The directory of a database. It is made if it is missing, and closed to other accounts. A directory on a network file
// system, of another user, or that cannot be written is refused.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { networkFileSystem } from "../os/files/filesystem";
import { closeOwnFile, takeOwnDir } from "../os/files/own-dir";
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
    const own = takeOwnDir(asked);
    if (own.is === "refused") {
      const code = own.mend === null ? "not_writable" : "not_private";
      return refuse(code, `${asked} cannot be used: ${own.why}`, own.mend ?? DATA_HINT);
    }
    const { dir, notices } = own;
    const network = networkFileSystem(dir);
    if (network !== null) {
      return refuse("network", `${dir} lies on a network file system (${network}), where databases break`, DATA_HINT);
    }
    return { ok: true, dir, notices: [...notices, ...tighten(dir)] };
  } catch (error) {
    const code = codeOf(error);
    if (code === null) throw error;
    return refuse("not_writable", `${asked} cannot be used: ${(error as Error).message}`, DATA_HINT);
  }
}

/** Takes away other people's rights to the files of the directory. Returns what was open. */
const tighten = (dir: string): string[] =>
  readdirSync(dir)
    .map((name) => join(dir, name))
    .filter(closeOwnFile)
    .map((file) => `${file} was readable or writable for other users; it is closed now: if it holds a key, replace it`);
