// The effect of an agent's flags on its node's pool, labels and taints. A flag that differs from the agent's previous
// flags replaces the node's value. A flag that is the same as before changes nothing, so values that people have set
// stay.

import type { NodeFlags, NodeRow } from "../../core/model/rows-node";
import { readLabelKey, readLabelValue } from "../../spec/grammar/labels";
import { isName } from "../../spec/grammar/names";
import type { Taint } from "../../core/model/workload";
import type { Machine } from "../../wire/agent";

type Flagged = Pick<NodeRow, "pool" | "labels" | "taints" | "flags">;

const DEFAULT_POOL = "default";

const isLawful = (key: string, value: string): boolean =>
  readLabelKey(key).is === "parsed" && readLabelValue(value).is === "parsed";

/** Returns an agent's flags as far as they obey the grammar of specs, which name pools, labels and taints. */
const flagsOf = ({ pool, labels, taints }: Machine): NodeFlags => ({
  pool: isName(pool) ? pool : DEFAULT_POOL,
  labels: Object.fromEntries(Object.entries(labels).filter(([key, value]) => isLawful(key, value))),
  taints: taints.filter(({ key, value }) => isLawful(key, value)),
});

const SHOWN_CHARS = 40;

/** Returns which flags of an agent are dropped since they disobey the grammar, in words for people, or null. */
export function droppedFlags({ pool, labels, taints }: Machine): string | null {
  const said = (text: string): string => JSON.stringify(text.slice(0, SHOWN_CHARS));
  const dropped = [
    ...(isName(pool) ? [] : [`pool ${said(pool)}`]),
    ...Object.entries(labels)
      .filter(([key, value]) => !isLawful(key, value))
      .map(([key, value]) => `label ${said(key)}=${said(value)}`),
    ...taints
      .filter(({ key, value }) => !isLawful(key, value))
      .map(({ key, value }) => `taint ${said(key)}=${said(value)}`),
  ];
  if (dropped.length === 0) return null;
  return `no label by the grammar, and left out: ${dropped.slice(0, 3).join(", ")}${dropped.length > 3 ? " …" : ""}`;
}

/** Returns the pool, labels and taints of a new node: those of its agent's flags. */
export const asFlagged = (machine: Machine): Flagged => ({ ...flagsOf(machine), flags: flagsOf(machine) });

/**
 * Returns the pool, labels and taints of a node after its agent has reported its flags again. `bound` is the pool that
 * the node's join token names, or null: that pool is not for the agent to change.
 */
export function afterFlags(node: NodeRow, machine: Machine, bound: string | null): Flagged {
  const before = node.flags ?? { pool: node.pool, labels: {}, taints: [] };
  const now = flagsOf(machine);
  return {
    pool: bound ?? (now.pool === before.pool ? node.pool : now.pool),
    labels: labelsAfter(node.labels, before.labels, now.labels),
    taints: taintsAfter(node.taints, before.taints, now.taints),
    flags: now,
  };
}

type Labels = Readonly<Record<string, string>>;

function labelsAfter(labels: Labels, before: Labels, now: Labels): Labels {
  // A label whose flag was dropped is removed, unless people gave the label another value.
  const kept = Object.entries(labels).filter(([key, value]) => Object.hasOwn(now, key) || before[key] !== value);
  const changed = Object.entries(now).filter(([key, value]) => before[key] !== value);
  return Object.fromEntries([...kept, ...changed]);
}

const isSame = (a: Taint, b: Taint): boolean => a.key === b.key && a.effect === b.effect;
const isIn = (taint: Taint, taints: readonly Taint[]): boolean =>
  taints.some((other) => isSame(taint, other) && other.value === taint.value);

function taintsAfter(taints: readonly Taint[], before: readonly Taint[], now: readonly Taint[]): readonly Taint[] {
  const changed = now.filter((taint) => !isIn(taint, before));
  const kept = taints.filter(
    (taint) =>
      !changed.some((other) => isSame(taint, other)) &&
      (now.some((other) => isSame(taint, other)) || !isIn(taint, before)),
  );
  return [...kept, ...changed];
}

/**
 * Returns the differences in pool, labels and taints between two rows of a node, in words for people, or null if there
 * are none.
 */
export function flagsNews(before: NodeRow, after: NodeRow): string | null {
  const said = ({ pool, labels, taints }: NodeRow): string[] => [
    `pool ${pool}`,
    ...Object.entries(labels).map((label) => label.join("=")),
    ...taints.map(({ key, value, effect }) => `${key}=${value}:${effect}`),
  ];
  const [was, is] = [new Set(said(before)), new Set(said(after))];
  const news = [...is.difference(was), ...[...was.difference(is)].map((gone) => `no longer ${gone}`)];
  return news.length === 0 ? null : news.join(", ");
}
