// Small files of a person at the command line: a missing file is a value, and a written file is for its owner only.

import { readFile } from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { replaceFile } from "./durable";
import { makePrivateDir } from "./files";

export type ReadText =
  | { readonly is: "there"; readonly text: string }
  /** The file is missing, or this account may not see it. */
  | { readonly is: "absent"; readonly why: string }
  | { readonly is: "unreadable"; readonly why: string };

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "not yours to read",
  EPERM: "not yours to read",
  EISDIR: "is a directory",
  ENOTDIR: "a part of the path is not a directory",
};
const ABSENT = new Set(["ENOENT", "EACCES", "EPERM", "ENOTDIR"]);

/** Reads a whole text file. A file that is not UTF-8 counts as unreadable. */
export async function readText(path: string): Promise<ReadText> {
  try {
    return {
      is: "there",
      text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readFile(resolve(path))),
    };
  } catch (error) {
    return refusalOf(error);
  }
}

/** Writes a file that only its owner may read, and the directories above it. */
export async function writePrivate(path: string, text: string): Promise<void> {
  makePrivateDir(dirname(path));
  await replaceFile(path, text);
}

/** Returns the home directory and uid of the account that runs this process, and the machine's name. */
export const self = (): { readonly home: string; readonly hostname: string; readonly uid: number | null } => ({
  home: process.env["HOME"] || homedir(),
  hostname: hostname(),
  uid: process.getuid?.() ?? null,
});

function refusalOf(error: unknown): Exclude<ReadText, { is: "there" }> {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof TypeError) return { is: "unreadable", why: "not UTF-8 text" };
  return { is: ABSENT.has(code ?? "") ? "absent" : "unreadable", why: WORDS[code ?? ""] ?? message };
}
