// A small file beside the database that remembers how far the database had come, so that an old copy in its place is
// noticed.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterRow } from "../core/model/rows-state";
import { replaceFileNow } from "../os/files/durable";

const FILE = "highest.json";

/** How many batches or run numbers may pass before the file is written again. */
const STEP = 1_000;

export interface Highest {
  readonly cluster_id: string;
  readonly timeline: string;
  readonly epoch: number;
  /** A revision of this epoch that was durable when the file was written. */
  readonly revision: number;
  /** Every run number below this one may have been given out. */
  readonly next_run: number;
  /** The machine that wrote the file. */
  readonly host: string | null;
}

export type HighestRead =
  { readonly is: "known"; readonly highest: Highest } | { readonly is: "none" } | { readonly is: "unreadable" };

export function readHighest(dir: string): HighestRead {
  const file = join(dir, FILE);
  if (!existsSync(file)) return { is: "none" };
  const text = readFileSync(file, "utf8");
  try {
    const { cluster_id, timeline, epoch, revision, next_run, host } = JSON.parse(text) as Partial<Highest>;
    if (
      typeof cluster_id !== "string" ||
      typeof timeline !== "string" ||
      typeof epoch !== "number" ||
      typeof revision !== "number" ||
      typeof next_run !== "number"
    )
      return { is: "unreadable" };
    return { is: "known", highest: { cluster_id, timeline, epoch, revision, next_run, host: host ?? null } };
  } catch (error) {
    if (error instanceof SyntaxError) return { is: "unreadable" };
    throw error;
  }
}

/** Keeps the file ahead of the run numbers that are given out, and not far behind the revisions. */
export interface HighestKeeper {
  /** Called before a batch is written. The batch before it is durable. */
  before(cluster: ClusterRow): void;
  /** Called once nothing more will be written. */
  last(cluster: ClusterRow): void;
}

export const NO_KEEPER: HighestKeeper = { before: () => undefined, last: () => undefined };

export function writeHighest(dir: string, highest: Highest): void {
  replaceFileNow(join(dir, FILE), `${JSON.stringify(highest)}\n`, "durable");
}

/** Writes the file for a database that is durable as `cluster`, and keeps it up to date from then on. */
export function keepHighest(dir: string, cluster: ClusterRow, host: string | null): HighestKeeper {
  const write = ({ cluster_id, timeline, epoch, next_run }: ClusterRow, revision: number): Highest => {
    const highest = { cluster_id, timeline, epoch, revision, next_run: next_run + STEP, host };
    writeHighest(dir, highest);
    return highest;
  };
  let noted = write(cluster, cluster.revision);
  return {
    before(next) {
      const due = next.next_run > noted.next_run || next.revision > noted.revision + STEP;
      if (due) noted = write(next, next.revision - 1);
    },
    last(now) {
      noted = write(now, now.revision);
    },
  };
}

/** Returns why a database must not be used beside this file, or null. */
export function mismatch(highest: Highest, cluster: ClusterRow): string | null {
  if (cluster.cluster_id !== highest.cluster_id) {
    return `it is of cluster ${cluster.cluster_id}, this directory belongs to ${highest.cluster_id}`;
  }
  if (cluster.epoch < highest.epoch) {
    return `it ends at epoch ${cluster.epoch}, this directory has seen epoch ${highest.epoch}`;
  }
  if (cluster.epoch > highest.epoch) return null;
  if (cluster.timeline !== highest.timeline) return "it is of another timeline of this cluster";
  return cluster.revision < highest.revision
    ? `it ends at revision ${cluster.revision}, this directory has seen revision ${highest.revision}`
    : null;
}
