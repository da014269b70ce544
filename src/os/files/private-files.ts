// The small files of a person at the command line: read as a value even if they are missing, written for their owner
// only.

import { readFile } from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { replaceFile } from "./durable";
import { makePrivateDir } from "./files";

export type ReadText =
  | { readonly ok: true; readonly text: string }
  /** `absent`: the file is missing, or may not be seen. */
  | { readonly ok: false; readonly absent: boolean; readonly why: string };

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "not yours to read",
  EPERM: "not yours to read",
  EISDIR: "is a directory",
  ENOTDIR: "a part of the path is not a directory",
};
const ABSENT = new Set(["ENOENT", "EACCES", "EPERM", "ENOTDIR"]);

/** Reads a whole text file. A file that is not UTF-8 is no text. */
export async function readText(path: string): Promise<ReadText> {
  try {
    return {
      ok: true,
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

/** Returns who runs this process, and where. */
export const self = (): { readonly home: string; readonly hostname: string; readonly uid: number | null } => ({
  home: process.env["HOME"] || homedir(),
  hostname: hostname(),
  uid: process.getuid?.() ?? null,
});

function refusalOf(error: unknown): { readonly ok: false; readonly absent: boolean; readonly why: string } {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof TypeError) return { ok: false, absent: false, why: "not UTF-8 text" };
  return { ok: false, absent: ABSENT.has(code ?? ""), why: WORDS[code ?? ""] ?? message };
}
