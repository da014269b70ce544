// The batches among the tasks of a driver: which ones are, and what their journals say.

import { join } from "node:path";
import type { BatchSoFar } from "../../core/agent/results";
import type { Assignment, TaskRecord } from "../../core/model/record";
import { isTaskFile } from "../../os/files/task-files";
import { ELEMENTS, placeDir } from "../tasks/element-journal";
import { ElementReader, journalIn } from "../tasks/element-reader";
import { dirOfTask, isUid, places } from "../tasks/taskdir";
import type { BatchFacts } from "./look";

export class Batches {
  readonly #data: string;
  /** The readers of the journals by uid; null where the record is lost, so that nobody knows the elements. */
  readonly #known = new Map<string, ElementReader | null>();

  constructor(data: string) {
    this.#data = data;
  }

  /** Notes that a task is a batch, if it is one. */
  know({ uid, batch }: Assignment): ElementReader | null {
    if (batch === undefined) return null;
    const known =
      this.#known.get(uid) ??
      new ElementReader(
        batch,
        journalIn(() => dirOfTask(this.#data, uid)),
      );
    this.#known.set(uid, known);
    return known;
  }

  /** Notes which tasks without a record are batches. */
  find(uids: readonly string[], records: ReadonlyMap<string, TaskRecord>): void {
    for (const { assignment } of records.values()) this.know(assignment);
    const { tasks } = places(this.#data);
    for (const uid of uids) {
      if (!records.has(uid) && isUid(uid) && isTaskFile(join(tasks, uid), ELEMENTS)) this.#known.set(uid, null);
    }
  }

  has(uid: string): boolean {
    return this.#known.has(uid);
  }

  /** Takes in what is new in the journal of a batch, and returns what it says. */
  look(uid: string): BatchFacts {
    const reader = this.#known.get(uid) ?? null;
    return reader === null
      ? { begun: true, places: undefined }
      : { begun: reader.look() !== "missing", places: reader.read.open };
  }

  /** Returns the directories in which what runs of a task has its output. */
  outputs(uid: string): readonly string[] {
    const dir = join(places(this.#data).tasks, uid);
    if (!this.has(uid)) return [dir];
    const running = this.#known.get(uid)?.read.running.values() ?? [];
    return [...running].map(({ place }) => join(dir, placeDir(place)));
  }

  /** Returns how a batch stands: once its end is written down, with all results that there will be. */
  soFar({ assignment, end }: TaskRecord, claimed: () => boolean): BatchSoFar | null {
    const isNew = !this.#known.has(assignment.uid);
    const reader = this.know(assignment);
    if (reader === null) return null;
    if (isNew) reader.look();
    const results = end === null ? reader.read.results : reader.resultsAtEnd(end, claimed);
    return { results, places: reader.read.open, only: reader.read.only };
  }

  reader(uid: string): ElementReader | null {
    return this.#known.get(uid) ?? null;
  }

  drop(uid: string): void {
    this.#known.delete(uid);
  }
}
