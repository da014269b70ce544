// Elements of arrays as `orch show` prints them.

import { labelOf, overIn, parseArray, partsOf } from "../../core/model/array";
import { isFinal, type RunState, type TaskState } from "../../core/model/lifecycle";
import { isElementOver, sayElementOver } from "../../core/why/over";
import type { ElementView } from "../../wire/api/arrays";
import type { RunDetail } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";
import { block } from "./block";
import type { Style } from "./color";

/** Elements of one array that have ended alike. */
export interface EndedAlike extends Pick<ElementView, "state" | "exit_code" | "signal" | "cause"> {
  readonly count: number;
  /** Their numbers: `0,3,6,9-12`. */
  readonly elements: string;
}

/** Returns elements of an array by how they ended. `array`: its numbers, as `0-99:2%8`. */
export function endedAlike(views: readonly ElementView[], array: string): EndedAlike[] {
  const read = parseArray(array);
  const decl = "wrong" in read ? { first: 0, step: 1 } : read;
  const groups = Map.groupBy(views, (view) => sayElementOver(view) ?? view.state);
  return [...groups.values()].map((those) => {
    const parts = partsOf(those.map(({ slot }) => (slot - decl.first) / decl.step));
    const { state = "failed", exit_code = null, signal = null, cause = null } = those[0] ?? {};
    const elements = parts.map((part) => labelOf(decl, [part])).join(",");
    return { state, exit_code, signal, cause, count: those.length, elements };
  });
}

/** The most lines of numbers, and how long one is where no terminal says so. */
const MOST_LINES = 12;
const LINE = 100;

/**
 * Returns the lines that name elements by how they ended, what most have met first: `exit 3: 0,3,6,9-12`. Where not
 * all can be named, each way to end has its count: `exit 1 (273): 1,12,23,…`. `count`: how many there are, of which
 * `ended` may lack some. `all`: the command that names all of them.
 */
export function sayEnded(
  ended: readonly EndedAlike[],
  { count, all, width }: { readonly count: number; readonly all: string; readonly width: number | null },
): string {
  const often = ended.toSorted((a, b) => b.count - a.count);
  const shown = often.slice(0, MOST_LINES);
  const each = Math.max(1, Math.floor(MOST_LINES / Math.max(1, shown.length)));
  const said = shown.map((one) => saidOf(one, each, (width ?? LINE) - INDENT));
  const known = shown.reduce((sum, one) => sum + one.count, 0);
  const more = count - known;
  const isWhole = more <= 0 && said.every(({ whole }) => whole);
  const last = more > 0 ? `and ${more} more; all: ${all}` : `all of them: ${all}`;
  return [...said.flatMap(({ lines }) => lines), ...(isWhole ? [] : [last])].join("\n");
}

/** Returns at most `most` lines for those that have ended alike. */
function saidOf(one: EndedAlike, most: number, width: number): { readonly lines: string[]; readonly whole: boolean } {
  const how = sayElementOver(one) ?? one.state;
  const within = (head: string): string[] =>
    brokenAtCommas(head, one.elements, Math.max(head.length + LABEL, width - MORE.length));
  const lines = within(`${how}: `);
  if (lines.length <= most) return { lines, whole: true };
  const first = within(`${how} (${one.count}): `).slice(0, most);
  return { lines: [...first.slice(0, -1), `${first.at(-1)?.replace(/,$/, "")}${MORE}`], whole: false };
}

/** What stands for the numbers that are left out. */
const MORE = ",…";

/** The longest range with its comma, and how far a block indents a text of several lines. */
const LABEL = "9999999-9999999:1000000,".length;
const INDENT = 2;

function brokenAtCommas(head: string, numbers: string, width: number): string[] {
  const lines: string[] = [];
  const before = (): string => (lines.length === 0 ? head : " ".repeat(head.length));
  let line = "";
  for (const range of numbers.split(",")) {
    if (line !== "" && head.length + line.length + range.length + 1 > width) {
      lines.push(`${before()}${line}`);
      line = "";
    }
    line += `${range},`;
  }
  return [...lines, before() + line.slice(0, -1)];
}

/** Returns how many elements of an array are at no node, and what they wait for; null if all are, or it is none. */
export function restOfArray({ array, tasks, reason, state }: RunDetail): string | null {
  if (array === null || isFinal(state as RunState)) return null;
  const living = tasks.filter((task) => !isFinal(task.state as TaskState));
  const out = living.reduce((sum, { batch }) => sum + (batch === null ? 0 : batch.total - batch.over), 0);
  const waiting = array.total - overIn(array) - out;
  if (waiting <= 0) return null;
  const read = parseArray(array.elements);
  const limit = "wrong" in read ? null : read.limit;
  const isFull = limit !== null && array.running >= limit;
  const first = waiting - array.again;
  const why = isFull ? `at most ${limit} may run at once` : (reason ?? "they get the places that become free");
  const parts = [
    first > 0 ? `${first} of ${array.total} elements wait to be handed out: ${why}` : null,
    array.again > 0 ? `${array.again} are tried again when nothing of this round is left` : null,
  ];
  return parts.filter((part) => part !== null).join("; ");
}

/** An element with the newest task that it was handed out with, which is null if none is known. */
export interface ElementDetail extends ElementView {
  /** Means this element and nothing else: `12_7`. */
  readonly name: string;
  readonly run: number;
  /** Of one that never began: how its run ended. */
  readonly why: string | null;
  readonly task: TaskView | null;
}

const sayAttempts = (ended: number, isOver: boolean): string =>
  isOver ? String(ended) : `${ended} over, to be tried again`;

/** Returns the lines of one element. */
export function elementLines(
  { task, ...element }: ElementDetail,
  { style, width }: { readonly style: Style; readonly width: number | null },
): string[] {
  const { name, run, state, attempts, why } = element;
  const end = sayElementOver(element);
  const batch = task === null ? null : `${task.id?.slice(0, 10) ?? "-"} (elements ${task.elements ?? "?"})`;
  return block(
    {
      element: name,
      state: why === null ? (end === null || end === state ? state : `${state}, ${end}`) : `never began: ${why}`,
      attempts: attempts === null || attempts === 0 ? null : sayAttempts(attempts, isElementOver(element)),
      node: task?.node ?? null,
      task: batch,
      logs: task !== null && isElementOver(element) && state !== "cancelled" ? `orch logs ${name}` : null,
      array: `orch show ${run}`,
    },
    style,
    width,
  );
}
