// Elements of arrays as `orch show` prints them.

import { isElementOver, sayElementOver } from "../../core/why/over";
import type { ElementView } from "../../wire/api/arrays";
import type { TaskView } from "../../wire/api/tasks";
import { block } from "./block";
import type { Style } from "./color";

/** Names the first of `count` failed elements with their ends: `7 (exit 3), 9 (killed by KILL), …`. */
export function sayFailed(first: readonly ElementView[], count: number): string {
  const named = first.map((element) => `${element.slot} (${sayElementOver(element) ?? element.state})`);
  return `${named.join(", ")}${count > first.length ? ", …" : ""}`;
}

/** An element with the newest task that it was handed out with, which is null if none is known. */
export interface ElementDetail extends ElementView {
  /** Means this element and nothing else: `12_7`. */
  readonly name: string;
  readonly run: number;
  readonly task: TaskView | null;
}

/** Returns the lines of one element. */
export function elementLines(
  { task, ...element }: ElementDetail,
  { style, width }: { readonly style: Style; readonly width: number | null },
): string[] {
  const { name, run, state, attempts } = element;
  const end = sayElementOver(element);
  const batch = task === null ? null : `${task.id?.slice(0, 10) ?? "-"} (elements ${task.elements ?? "?"})`;
  return block(
    {
      element: name,
      state: end === null || end === state ? state : `${state}, ${end}`,
      attempts: attempts === null || attempts === 0 ? null : `${attempts} over, to be tried again`,
      node: task?.node ?? null,
      task: batch,
      logs: task !== null && isElementOver(element) && state !== "cancelled" ? `orch logs ${name}` : null,
      array: `orch show ${run}`,
    },
    style,
    width,
  );
}
