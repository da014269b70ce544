// Files that are whole or not there: written aside, synced, renamed into place, and their directory synced too.

import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { syncDir } from "./files";

/** Replaces `file` in one step; after a crash it is the old one or the new one. */
export function writeDurably(file: string, text: string, mode = 0o600): void {
  const aside = `${file}.new`;
  const fd = openSync(aside, "w", mode);
  try {
    fchmodSync(fd, mode);
    writeFileSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameDurably(aside, file);
}

/** Copies a file so that `to` is whole or not there. Shares blocks where the file system can. */
export function copyDurably(from: string, to: string, mode = 0o600): void {
  const aside = `${to}.new`;
  copyFileSync(from, aside, constants.COPYFILE_FICLONE);
  const fd = openSync(aside, "r+");
  try {
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameDurably(aside, to);
}

export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  syncDir(dirname(to));
}
