// Queries for what has left the live state: newest first, always bounded, always by an index. What is passed over is
// passed over in the index, since the rows of a long history are too many to read for one answer.

import type { Database } from "bun:sqlite";
import { and, desc, eq, getTableColumns, gte, inArray, lt, or, sql } from "drizzle-orm";
import type { SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sqlite";
import type { EventRow } from "../core/model/rows-state";
import { PARTS } from "../core/plan/events";
import { eventIdFrom } from "./draft";
import type { History } from "./store";
import { ended_elements, ended_runs, ended_tasks, events, node_tests } from "./tables";

/** The longest list of one answer. */
const LIST_MAX = 10_000;
/** A prefix with this character appended sorts behind every text that begins with the prefix. */
const BEHIND = "\uffff";

const { archived_ms: _tasks, ...taskFields } = getTableColumns(ended_tasks);
const { archived_ms: _runs, ...runFields } = getTableColumns(ended_runs);
const { archived_ms: _elements, ...elementFields } = getTableColumns(ended_elements);
const bounded = (limit: number): number => Math.max(0, Math.min(limit, LIST_MAX));

export function historyOf(database: Database): History {
  const db = drizzle({ client: database });
  // These queries run for each line of an inventory, so their statements are prepared once.
  const ended = database.query("select 1 from ended_tasks where uid = ?");
  const grave = database.query("select 1 from graves where uid = ?");
  const over = database.query("select 1 from ended_runs where uid = ?");
  return {
    ...taskHistory(db),
    ...runHistory(db),
    ...eventHistory(db),
    elements: (run_uid, page) =>
      db
        .select(elementFields)
        .from(ended_elements)
        .where(and(eq(ended_elements.run_uid, run_uid), eq(ended_elements.page, page)))
        .get() ?? null,
    nodeTests: (node_id, limit) =>
      db
        .select()
        .from(node_tests)
        .where(eq(node_tests.node_id, node_id))
        .orderBy(desc(node_tests.at_ms), desc(node_tests.id))
        .limit(bounded(limit))
        .all(),
    hasEnded: (uid) => ended.get(uid) !== null,
    hasGrave: (uid) => grave.get(uid) !== null,
    hasEndedRun: (uid) => over.get(uid) !== null,
  };
}

type Db = ReturnType<typeof drizzle>;

/**
 * Returns the condition for rows after a task in a list that is newest first. No row matches if the task has been
 * pruned, since older rows have been pruned too.
 */
const afterTask = (uid: string): SQL =>
  sql`(archived_ms, uid) < (select archived_ms, uid from ended_tasks as at where at.uid = ${uid})`;

/** Returns the condition for batches that an element is in. */
const withElement = (index: number): SQL =>
  sql`exists (select 1 from json_each(${ended_tasks.batch}, '$.parts') as part
    where ${index} between part.value ->> 0 and part.value ->> 1)`;

function taskHistory(db: Db): Pick<History, "task" | "tasks" | "nodesOf"> {
  return {
    nodesOf(owner_uids) {
      const rows = db
        .select({
          owner: ended_tasks.owner_uid,
          attempt: ended_tasks.attempt,
          node: ended_tasks.node_id,
          is_batch: sql<number>`${ended_tasks.batch} is not null`,
        })
        .from(ended_tasks)
        .where(sql`owner_uid in (select value from json_each(${JSON.stringify(owner_uids)}))`)
        .orderBy(desc(ended_tasks.archived_ms))
        .limit(LIST_MAX)
        .all();
      const newest = new Map<string, number>();
      for (const { owner, attempt } of rows) newest.set(owner, Math.max(newest.get(owner) ?? 0, attempt));
      const nodes = new Map<string, string[]>();
      for (const { owner, attempt, node, is_batch } of rows) {
        const known = nodes.get(owner) ?? [];
        const counts = is_batch === 1 || newest.get(owner) === attempt;
        if (counts && !known.includes(node)) nodes.set(owner, [...known, node]);
      }
      return nodes;
    },
    task(uid_or_prefix) {
      if (uid_or_prefix === "") return null;
      const found = db
        .select(taskFields)
        .from(ended_tasks)
        .where(and(gte(ended_tasks.uid, uid_or_prefix), lt(ended_tasks.uid, uid_or_prefix + BEHIND)))
        .orderBy(ended_tasks.uid)
        .limit(2)
        .all();
      // With two uids that begin alike, the task that was meant is unknown.
      const [first, second] = found;
      return first !== undefined && (second === undefined || first.uid === uid_or_prefix) ? first : null;
    },
    tasks({ app_uid, owner_uid, run, attempt, element, since_ms, before_uid, limit }) {
      const wanted: (SQL | undefined)[] = [
        app_uid === undefined ? undefined : eq(ended_tasks.app_uid, app_uid),
        owner_uid === undefined ? undefined : eq(ended_tasks.owner_uid, owner_uid),
        run === undefined ? undefined : eq(ended_tasks.run, run),
        attempt === undefined ? undefined : eq(ended_tasks.attempt, attempt),
        element === undefined ? undefined : withElement(element),
        before_uid === undefined ? undefined : afterTask(before_uid),
        since_ms === undefined ? undefined : gte(ended_tasks.archived_ms, since_ms),
      ];
      return db
        .select(taskFields)
        .from(ended_tasks)
        .where(and(...wanted))
        .orderBy(desc(ended_tasks.archived_ms), desc(ended_tasks.uid))
        .limit(bounded(limit))
        .all();
    },
  };
}

function runHistory(db: Db): Pick<History, "run" | "runs"> {
  const of = (column: typeof ended_runs.run | typeof ended_runs.uid) =>
    db
      .select(runFields)
      .from(ended_runs)
      .where(eq(column, sql.placeholder("it")))
      .prepare();
  // Every event of a run asks for it, so the statements are made once.
  let [byNumber, byUid]: (ReturnType<typeof of> | null)[] = [null, null];
  return {
    run(it) {
      const asked = typeof it === "number" ? (byNumber ??= of(ended_runs.run)) : (byUid ??= of(ended_runs.uid));
      return asked.get({ it }) ?? null;
    },
    runs({ project, user, name, since_ms, before_run, limit }) {
      const wanted: (SQL | undefined)[] = [
        since_ms === undefined ? undefined : gte(ended_runs.archived_ms, since_ms),
        project === undefined ? undefined : eq(ended_runs.project, project),
        user === undefined ? undefined : eq(ended_runs.user, user),
        name === undefined ? undefined : eq(ended_runs.name, name),
        before_run === undefined ? undefined : lt(ended_runs.run, before_run),
      ];
      // With a time alone, the index by time has all that is asked for; the order by number must not lead to another.
      const byTime = since_ms !== undefined && project === undefined && user === undefined;
      const found = db
        .select({ run: ended_runs.run })
        .from(ended_runs)
        .where(and(...wanted))
        .orderBy(byTime ? sql`+run desc` : desc(ended_runs.run))
        .limit(bounded(limit));
      return db
        .select(runFields)
        .from(ended_runs)
        .where(inArray(ended_runs.run, found))
        .orderBy(desc(ended_runs.run))
        .all();
    },
  };
}

/** Objects whose name begins with a text, as a range that the index finds. */
const within = (start: string): SQL | undefined => and(gte(events.object, start), lt(events.object, start + BEHIND));

/**
 * With no more events than this in the time that is asked about, all of them are looked at. The names of an object's
 * parts may have many more.
 */
const FEW_EVENTS = 2_000;

function eventHistory(db: Db): Pick<History, "events"> {
  return {
    events({ object, node_id, run, project, since_ms, before_id, limit }) {
      const most = bounded(limit);
      const between = (id: SQL): (SQL | undefined)[] => [
        since_ms === undefined ? undefined : sql`${id} >= ${eventIdFrom(since_ms)}`,
        before_id === undefined ? undefined : sql`${id} < ${before_id}`,
      ];
      const byId = between(sql`${events.id}`);
      const inProject = project === undefined ? undefined : eq(events.project, project);
      const rows = (wanted: SQL | undefined): EventRow[] =>
        db.select().from(events).where(wanted).orderBy(desc(events.id)).limit(most).all();
      if (object === undefined) return rows(and(inProject, ...byId));
      const exact = [
        eq(events.object, object),
        ...(node_id === undefined ? [] : [eq(events.node_id, node_id)]),
        ...(run === undefined ? [] : [eq(events.run, run)]),
      ];
      const parts = PARTS.map((part) => within(object + part));
      const areFew = (): boolean =>
        db
          .select({ id: events.id })
          .from(events)
          .where(and(...byId))
          .orderBy(desc(events.id))
          .limit(1)
          .offset(FEW_EVENTS)
          .get() === undefined;
      // The sign keeps the names from leading to another index than that by id.
      if (since_ms !== undefined && areFew()) return rows(and(sql`+(${or(...exact, ...parts)})`, inProject, ...byId));
      // An index has all that each of these asks for, so that only the rows of the answer are read. For the parts it is
      // that by name: bounds and an order by id must not lead to the one by id, which has no names.
      const ids = (about: SQL | undefined, bounds: (SQL | undefined)[], order: SQL): string[] =>
        db
          .select({ id: events.id })
          .from(events)
          .where(and(about, inProject, ...bounds))
          .orderBy(order)
          .limit(most)
          .all()
          .map(({ id }) => id);
      const found = [
        ...exact.flatMap((one) => ids(one, byId, desc(events.id))),
        ...parts.flatMap((part) => ids(part, between(sql`+${events.id}`), sql`+${events.id} desc`)),
      ];
      const newest = [...new Set(found)].toSorted().toReversed().slice(0, most);
      return rows(sql`id in (select value from json_each(${JSON.stringify(newest)}))`);
    },
  };
}
