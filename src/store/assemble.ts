// Puts the parts of an open database together as a Store.

import type { Database } from "bun:sqlite";
import type { ClusterRow } from "../core/model/rows-state";
import type { Ms } from "../core/units";
import type { Ballast } from "./ballast";
import type { BatchContext } from "./batch";
import { createCommitter } from "./commit";
import { copyDatabase } from "./copy";
import { codeOf } from "./errors";
import type { HighestKeeper } from "./highest";
import { historyOf } from "./history";
import { loadState } from "./load";
import { prunerOf } from "./prune";
import { specsOf } from "./specs";
import type { Store } from "./store";

export interface StoreParts {
  readonly clock: () => Ms;
  readonly folder: string;
  readonly keeper: HighestKeeper;
  readonly ballast: Ballast;
  readonly laws: BatchContext["laws"];
  /** Lets the next server open the database. */
  readonly release: () => void;
}

/** Loads the live maps and starts to take commits. The database is migrated and its epoch is raised by now. */
export function assembleStore(db: Database, cluster: ClusterRow, parts: StoreParts): Store {
  const live = loadState(db, cluster);
  const specs = specsOf(db);
  const history = historyOf(db);
  // If the clock is behind the last commit at the start (set back, or reset by an empty battery), the store's time
  // begins at that commit and runs on with the clock.
  const ahead_ms = Math.max(0, cluster.at_ms - Math.floor(parts.clock()));
  const now = (): Ms => Math.max(live.cluster.at_ms, Math.floor(parts.clock()) + ahead_ms);
  const committer = createCommitter({
    db,
    live,
    specs,
    now,
    clock: parts.clock,
    ballast: parts.ballast,
    laws: parts.laws,
    hasEnded: history.hasEnded,
    beforeWrite: (batch) => parts.keeper.before(batch.cluster),
  });
  const prune = prunerOf(db, live, specs);
  let open = true;

  /**
   * Folds the log into the file and writes the newest mark. If the disk fails, both are left out, and the next start
   * works without them.
   */
  const settle = (): void => {
    try {
      db.query("pragma wal_checkpoint(truncate)").get();
      parts.keeper.last(live.cluster);
    } catch (error) {
      if (codeOf(error) === null) throw error;
    }
  };
  return {
    state: live,
    spec: specs.get,
    members: specs.members,
    hasSpec: specs.has,
    now,
    history,
    commit: committer.commit,
    turn: committer.turn,
    concludeWith: committer.concludeWith,
    conclude: committer.conclude,
    onCommit: committer.onCommit,
    health: committer.health,
    prune(now_ms, keep) {
      parts.ballast.restore();
      // A batch that is being made names specs that no row names yet.
      committer.finish();
      return prune(now_ms, keep);
    },
    copyTo: (path) => copyDatabase(db, path, parts.folder),
    close() {
      if (!open) return;
      open = false;
      committer.close();
      if (committer.health().is !== "failed") settle();
      db.close();
      parts.release();
    },
  };
}
