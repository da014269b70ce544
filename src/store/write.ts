// Writes a batch to SQLite: one synchronous transaction of prepared upserts and deletes, without relative updates.

import type { Database, Statement } from "bun:sqlite";
import type { Batch } from "./batch";
import type { TableName } from "./rows";
import { ROW_TABLES } from "./rows";

/** The database is not as this server left it: another server has written, or the file was replaced. */
export class FencedError extends Error {
  override name = "FencedError";
}

export interface Writer {
  /**
   * Writes a batch, which is durable when this returns. When it throws, the database is as before (or unknown, see
   * `failureOf`).
   */
  append(batch: Batch): void;
}

export function writerOf(db: Database): Writer {
  const begin = db.query("begin immediate");
  const commit = db.query("commit");
  const rollback = db.query("rollback");
  const raise = db.query(`update cluster set revision = ?, next_run = ?, next_ordinal = ?, at_ms = ?, recovering = ?
    where key = 'cluster' and revision = ? and epoch = ? and timeline = ? and cluster_id = ?`);
  const answer = db.query(`insert into idempotency
    (principal, key, request_hash, response, revision, at_ms, timeline) values (?, ?, ?, ?, ?, ?, ?)`);
  const statements = new Map<TableName, { readonly upsert: Statement; readonly remove: Statement }>();
  const statementsOf = (table: TableName): { readonly upsert: Statement; readonly remove: Statement } => {
    let found = statements.get(table);
    if (found === undefined) {
      found = { upsert: db.query(ROW_TABLES[table].upsert), remove: db.query(ROW_TABLES[table].remove) };
      statements.set(table, found);
    }
    return found;
  };

  const write = ({ cluster, rows, answers }: Batch): void => {
    const { revision, next_run, next_ordinal, at_ms, recovering, epoch, timeline, cluster_id } = cluster;
    const waits = recovering === null ? null : JSON.stringify(recovering);
    const raised = raise.run(revision, next_run, next_ordinal, at_ms, waits, revision - 1, epoch, timeline, cluster_id);
    if (raised.changes !== 1) {
      throw new FencedError(`another server has written to it: it is not at revision ${revision - 1}, epoch ${epoch}`);
    }
    // Rows that leave are removed first, so that a name or number that moves to another row is free.
    for (const { change, cells } of rows) if (cells === null) statementsOf(change.table).remove.run(change.key);
    for (const { change, cells } of rows) if (cells !== null) statementsOf(change.table).upsert.run(...cells);
    for (const { principal, key, request_hash, response, revision: made } of answers) {
      answer.run(principal, key, request_hash, response, made, at_ms, timeline);
    }
  };
  return {
    append(batch) {
      begin.run();
      try {
        write(batch);
        commit.run();
      } catch (error) {
        // A full disk ends the transaction by itself.
        if (db.inTransaction) rollback.run();
        throw error;
      }
    },
  };
}
