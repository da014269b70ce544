// Reads long lists whole. The server sends them in pages of at most 1,000 items.

import type { RunDetail, RunView } from "../../wire/api/runs";
import type { EventView } from "../../wire/api/watch";
import type { TaskView } from "../../wire/api/tasks";
import type { Client } from "../../wire/client";

const PAGE = 1_000;

/** The most items of history that are shown. A longer list is cut, and has a `next`. */
export const MOST_SHOWN = 20_000;

export interface Paged<T> {
  readonly items: T[];
  /** Where the list was cut, or null if it is whole. */
  readonly next: string | null;
}

interface Length {
  /** The most items in all. Undefined means no limit. */
  readonly most?: number | undefined;
  /** The most items of one page. */
  readonly limit?: number | undefined;
}

/** Which items are kept. The others do not count towards the length. */
type Wanted<T> = (item: T) => boolean;

type Page = { readonly limit: number; readonly next?: string };

/** Reads pages until the list ends, or until `most` items are read. */
export async function readPages<T>(
  read: (page: Page) => Promise<{ readonly items: readonly T[]; readonly next: string | null }>,
  { most = Number.POSITIVE_INFINITY, limit = PAGE }: Length = {},
  wanted: Wanted<T> = () => true,
): Promise<Paged<T>> {
  const items: T[] = [];
  let next: string | null = null;
  do {
    // The last page is only as long as what is missing, so that `next` continues right behind the list.
    const page: Page = { limit: Math.min(limit, most - items.length), ...(next === null ? {} : { next }) };
    const got = await read(page);
    items.push(...got.items.filter(wanted));
    next = got.items.length === 0 ? null : got.next;
  } while (next !== null && items.length < most);
  return { items, next };
}

/** Reads tasks and waiting slots. */
export const readTasks = (
  client: Client,
  query: { readonly app?: string; readonly of?: string; readonly all?: boolean; readonly pending?: boolean },
  length: Length = {},
  wanted?: Wanted<TaskView>,
): Promise<Paged<TaskView>> =>
  readPages(
    async (page) => {
      const { tasks, next } = await client.tasks({ ...query, ...page });
      return { items: tasks, next };
    },
    length,
    wanted,
  );

/** Reads the runs that wait or run; with `all` also finished ones, newest first. */
export const readRuns = (
  client: Client,
  query: { readonly all?: boolean; readonly user?: string; readonly since_ms?: number },
  length: Length = {},
  wanted?: Wanted<RunView>,
): Promise<Paged<RunView>> =>
  readPages(
    async (page) => {
      const { runs, next } = await client.runs({ ...query, ...page });
      return { items: runs, next };
    },
    length,
    wanted,
  );

/** Reads events, newest first. `subject` is what they are about. */
export async function readEvents(
  client: Client,
  query: { readonly object?: string; readonly since_ms?: number },
  length: Length,
): Promise<Paged<EventView> & { readonly subject: string | null; readonly run: number | null }> {
  let subject: string | null = null;
  let run: number | null = null;
  const read = await readPages(async (page) => {
    const { events, next, subject: of, run: of_run } = await client.events({ ...query, ...page });
    subject = of;
    run = of_run;
    return { items: events, next };
  }, length);
  return { ...read, subject, run };
}

/** Reads a run with all of its tasks, ended ones included. */
export async function readRun(client: Client, run: number, length: Pick<Length, "limit"> = {}): Promise<RunDetail> {
  const details: RunDetail[] = [];
  const { items: tasks, next } = await readPages(async (page) => {
    const detail = await client.runInfo(run, page);
    details.push(detail);
    return { items: detail.tasks, next: detail.next };
  }, length);
  const newest = details.at(-1) ?? (await client.runInfo(run));
  return { ...newest, tasks, next };
}
