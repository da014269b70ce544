// Journals of the living tasks, one per keeper, in the run directory. They show tasks whose data directory is lost, and
// count as claims of these. A task's beginning and its end are one line each, since a file per task would cost more
// than the task.

import { basename, dirname, join } from "node:path";
import { nowMs } from "../../os/clock";
import { replaceFileNow } from "../../os/files/durable";
import { clearAway, closeFile, exists, lookAt, namesIn, openToAppend } from "../../os/files/files";
import { appendLines, partOf, readTaskFile, wholeLines } from "../../os/files/task-files";
import { MIB } from "../../core/units";
import { fieldsOf, isTexts, parsedJson } from "../../os/files/json";
import { bootId, isAlive, statOf } from "../../os/proc";
import { FILES } from "./taskdir";

export interface LivingNote {
  readonly uid: string;
  readonly name: string;
  readonly pid: number;
  readonly start: string;
  /** The task's directory. */
  readonly dir: string;
  readonly group: readonly string[];
  /** What the task was promised, as its agent told the keeper. */
  readonly held: unknown;
}

/** The process of a keeper: the first line of its journal. */
interface KeeperNote {
  readonly keeper: number;
  readonly start: string;
  readonly boot_id: string;
}

type Line = KeeperNote | { readonly begun: LivingNote } | { readonly ended: string };

const PREFIX = "living.";
/** A journal's name ends with the pid of its keeper. A longer name belongs to a journal that is being rewritten. */
const JOURNAL = /^living\.\d+$/;
/** Beyond this many lines a journal is rewritten with the tasks that still live. */
const MOST_LINES = 20_000;
const MOST_BYTES = 256 * MIB;
/** More than a journal's first line has. */
const HEAD_BYTES = 1_024;

export interface Journal {
  begun(note: LivingNote): void;
  ended(uid: string): void;
}

/** Returns the directory in which a keeper has its processes join their groups. */
export const joiningOf = (run: string, pid: number | string): string => join(run, `joining.${pid}`);

/** Creates the journal of this keeper. */
export function openJournal(run: string): Journal {
  const path = join(run, `${PREFIX}${process.pid}`);
  const living = new Map<string, LivingNote>();
  const head: Line = { keeper: process.pid, start: statOf(process.pid)?.start ?? "", boot_id: bootId() };
  const anew = (): number => {
    const lines: Line[] = [head, ...[...living.values()].map((begun) => ({ begun }))];
    replaceFileNow(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""), "whole");
    return openToAppend(path);
  };
  let fd = anew();
  let lines = 0;
  const add = (line: Line): void => {
    appendLines(fd, `${JSON.stringify(line)}\n`);
    if (++lines < MOST_LINES + 4 * living.size) return;
    const full = fd;
    fd = anew();
    closeFile(full);
    lines = living.size;
  };
  return {
    begun: (note) => {
      living.set(note.uid, note);
      add({ begun: note });
    },
    ended: (uid) => {
      living.delete(uid);
      add({ ended: uid });
    },
  };
}

/** Returns the process of the keeper that has, or last had, this pid; null if no journal shows it. */
export function keeperIn(run: string, pid: number): KeeperNote | null {
  const [head = ""] = wholeLines(new TextDecoder().decode(partOf(run, `${PREFIX}${pid}`, "first", HEAD_BYTES)));
  const line = parseLine(head);
  return line !== null && "keeper" in line ? line : null;
}

interface JournalRead {
  readonly path: string;
  /** Whether the journal's keeper still writes it, or may, since it cannot be read. */
  readonly open: boolean;
  readonly boot_id: string;
  readonly begun: readonly LivingNote[];
}

function readJournal(path: string): JournalRead {
  const read = readTaskFile(dirname(path), basename(path), MOST_BYTES);
  const begun: LivingNote[] = [];
  let [open, boot_id] = [false, ""];
  for (const text of read.is === "there" ? wholeLines(read.text) : []) {
    const line = parseLine(text);
    if (line === null) continue;
    if ("keeper" in line) [open, boot_id] = [isAlive(line.keeper, line.start), line.boot_id];
    else if ("begun" in line) begun.push(line.begun);
  }
  return { path, open: read.is === "failed" || (open && boot_id === bootId()), boot_id, begun };
}

/**
 * Returns null for a text that is no line of a journal, such as the last one of a keeper that was killed while writing.
 */
function parseLine(text: string): Line | null {
  const { keeper, start, boot_id, begun, ended } = fieldsOf(parsedJson(text));
  if (typeof keeper === "number" && typeof start === "string" && typeof boot_id === "string") {
    return { keeper, start, boot_id };
  }
  if (typeof ended === "string") return { ended };
  const note = begun === undefined ? null : parseNote(begun);
  return note === null ? null : { begun: note };
}

function parseNote(value: unknown): LivingNote | null {
  const { uid, name, pid, start, dir, group, held = null } = fieldsOf(value);
  return typeof uid === "string" &&
    typeof name === "string" &&
    typeof pid === "number" &&
    typeof start === "string" &&
    typeof dir === "string" &&
    isTexts(group)
    ? { uid, name, pid, start, dir, group, held }
    : null;
}

export interface Noted {
  /** Living tasks of this data directory without their claim. */
  readonly survivors: readonly LivingNote[];
  /** Uids that were begun for this data directory on this boot, and whose claim is gone. */
  readonly claimed: ReadonlySet<string>;
  /** The notes of this data directory's tasks, with names and promises, by uid. */
  readonly notes: ReadonlyMap<string, LivingNote>;
}

/** Reads all journals below `root`; those in `own` count as claims. Removes journals that can show nothing more. */
export function readJournals(root: string, own: string): Noted {
  const survivors: LivingNote[] = [];
  const claimed = new Set<string>();
  const notes = new Map<string, LivingNote>();
  for (const name of namesIn(root)) {
    const dir = join(root, name);
    for (const file of namesIn(dir).filter((one) => JOURNAL.test(one))) {
      const journal = readJournal(join(dir, file));
      const lost = journal.begun.filter((note) => !exists(join(note.dir, FILES.claim)));
      const now = journal.boot_id === bootId();
      const alive = now ? lost.filter((note) => isAlive(note.pid, note.start)) : [];
      // The tasks of other data directories belong to the agents of those.
      if (dir === own) survivors.push(...alive);
      if (dir === own && now) for (const note of lost) claimed.add(note.uid);
      if (dir === own) for (const note of journal.begun) notes.set(note.uid, note);
      const useless =
        !now || (dir === own ? lost.length === 0 : alive.length === 0 && lost.length === journal.begun.length);
      if (!useless || journal.open) continue;
      clearAway(journal.path);
      clearAway(joiningOf(dir, file.slice(PREFIX.length)));
    }
    if (dir !== own && isOldDirectory(dir) && namesIn(dir).length === 0) clearAway(dir);
  }
  return { survivors, claimed, notes };
}

/** Returns the living tasks without their claim in the journals of one run directory. */
export function survivorsIn(dir: string): LivingNote[] {
  return namesIn(dir)
    .filter((one) => JOURNAL.test(one))
    .map((file) => readJournal(join(dir, file)))
    .filter((journal) => journal.boot_id === bootId())
    .flatMap((journal) => journal.begun)
    .filter((note) => !exists(join(note.dir, FILES.claim)) && isAlive(note.pid, note.start));
}

/**
 * Returns whether something is a directory, and old. An agent that is just starting has made its directory and not yet
 * put its note there. What is no directory was put there by somebody else.
 */
function isOldDirectory(path: string): boolean {
  const found = lookAt(path);
  return found !== null && found.isDirectory() && nowMs() - found.mtimeMs > OLD_MS;
}
const OLD_MS = 3_600_000;
