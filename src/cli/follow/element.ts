// The output of one element of an array as it comes: also of one that has yet to begin, and of each of its attempts.

import { pause } from "../../os/clock";
import { isElementOver } from "../../core/why/over";
import type { ElementView } from "../../wire/api/arrays";
import type { TaskView } from "../../wire/api/tasks";
import { ApiError, type Client } from "../../wire/client";
import { unlessAway } from "./watching";

const LOOK_MS = 500;

export interface ElementName {
  readonly name: string;
  readonly run: number;
  readonly slot: number;
}

/** Returns an element, and the newest task that it was handed out with, or null. */
export async function elementNow(
  client: Client,
  { name, run, slot }: ElementName,
): Promise<{ readonly view: ElementView | undefined; readonly task: TaskView | null }> {
  const { elements } = await client.elements(run, { slot });
  return { view: elements[0], task: await newestTask(client, name) };
}

async function newestTask(client: Client, name: string): Promise<TaskView | null> {
  try {
    return await client.task(name);
  } catch (error) {
    if (error instanceof ApiError && error.code === "not_found") return null;
    throw error;
  }
}

/**
 * Copies what an element writes until it is over. `copy` copies its newest attempt to its end; `sayWait` is called once
 * if the element has not begun.
 */
export async function followElement(
  client: Client,
  element: ElementName,
  { copy, sayWait }: { readonly copy: () => Promise<void>; readonly sayWait: () => Promise<void> },
): Promise<void> {
  let copied: string | null = null;
  for (let looks = 0; ; looks++) {
    const now = await unlessAway(() => elementNow(client, element));
    const isOver = now?.view !== undefined && isElementOver(now.view);
    const task = now?.task ?? null;
    const isNew = task === null || task.id !== copied;
    if (isOver) return isNew ? copy() : undefined;
    if (task !== null && isNew && (task.state === "running" || task.state === "stopping")) {
      copied = task.id;
      await copy();
      continue;
    }
    if (looks === 0) await sayWait();
    await pause(LOOK_MS);
  }
}
