// A plan as `orch plan` and `orch apply` print it: the verdict, the spec's changes, the operations done at once, those
// of other apps, and the slots that wait.

import { WHY_GOES } from "../../core/model/slots";
import type { PlanView } from "../../wire/api/plans";
import { changed, changeLines } from "./changes";
import { clean } from "./clean";
import type { Style } from "./color";
import { allBlockedLines } from "./explain";
import { byName, FEW, type Folding, foldedName, namesText } from "./fold";
import { table } from "./table";
import { hang } from "./wrap";

type Op = PlanView["ops"][number];

export interface PlanPrint {
  readonly style: Style;
  readonly width: number | null;
  /** The project of the spec. Names of other projects are written with theirs. */
  readonly home: string;
  /** A row for each operation, also for equal ones. */
  readonly whole: boolean;
}

export function planLines(plan: PlanView, print: PlanPrint): string[] {
  const { style: styled, width } = print;
  const own = plan.ops.filter((op) => op.own);
  const others = plan.ops.filter((op) => !op.own);
  const lines = hang(verdict(plan, own, others), width, "  ");
  for (const notice of plan.notices) lines.push(...hang(styled.yellow(`note: ${clean(notice)}`), width, "  "));
  const changes = changed(plan).flatMap((one) => changeLines(one, styled, width));
  const goes = goingLines(plan.goes, width);
  if (changes.length + goes.length > 0) lines.push("", ...changes, ...goes);
  if (own.length > 0) lines.push("", "now:", ...opLines(own, print));
  if (plan.later.length > 0) {
    lines.push("", "then, one after the other:", ...hang(`  ${namesText(plan.later.map(clean))}`, width, "  "));
  }
  if (others.length > 0) lines.push("", "others:", ...opLines(others, print));
  if (plan.blocked.length > 0) {
    const room = width === null ? null : width - 2;
    lines.push("", "waits:", ...allBlockedLines(plan.blocked, styled, room, GROUPS_SHOWN).map((line) => `  ${line}`));
  }
  return lines;
}

/** The most groups of nodes that are shown for what waits. `orch explain` shows all. */
const GROUPS_SHOWN = 6;

/** The operations that a verdict counts, in its order. The others are what follows from them. */
const COUNTED: Readonly<Record<string, string>> = {
  place: "to place",
  stop: "to stop",
  write_off: "to write off",
  lose: "lost",
};

const counted = (ops: readonly Op[]): string[] =>
  Object.entries(COUNTED).flatMap(([name, words]) => {
    const count = ops.filter(({ op }) => op === name).length;
    return count === 0 ? [] : [`${count} ${words}`];
  });

/** Returns what comes of it in one line: `plan: 3 to place, 1 to stop, 2 wait; others: 1 to stop`. */
function verdict(plan: PlanView, own: readonly Op[], others: readonly Op[]): string {
  const never = plan.blocked.filter(({ kind }) => kind === "unsatisfiable").length;
  const waits = plan.blocked.length - never;
  const changes = changed(plan).length;
  const happens = counted(own);
  const quiet = `${changes} ${changes === 1 ? "change" : "changes"} in the spec, nothing to place or to stop`;
  const parts = [
    ...(changes === 0 ? ["nothing to change"] : []),
    ...(changes > 0 && happens.length + plan.blocked.length + plan.later.length === 0 ? [quiet] : happens),
    ...(plan.later.length === 0 ? [] : [`${plan.later.length} to replace then`]),
    ...(waits === 0 ? [] : [`${waits} ${waits === 1 ? "waits" : "wait"}`]),
    ...(never === 0 ? [] : [`${never} cannot run on any node`]),
  ];
  const beside = counted(others);
  return `plan: ${parts.join(", ")}${beside.length === 0 ? "" : `; others: ${beside.join(", ")}`}`;
}

const opFolding: Folding<Op> = byName(({ task }) => task);

function opLines(ops: readonly Op[], { width, home, whole }: PlanPrint): string[] {
  const titleOf = ({ project, task, title }: Op): string =>
    project === null || project === home ? (title ?? task) : `${project}/${title ?? task}`;
  const columns = [
    { title: "OP", cell: (op: Op) => op.op, folded: (rows: readonly Op[]) => `${rows.length} ${rows[0]?.op ?? ""}` },
    {
      title: "TASK",
      cut: "middle" as const,
      gives: [[2, 32] as const],
      cell: titleOf,
      folded: ([first, ...rest]: readonly [Op, ...Op[]]) => foldedName([titleOf(first), ...rest.map(titleOf)]),
    },
    { title: "NODE", cut: "middle" as const, gives: [[3, 16] as const], cell: (op: Op) => op.node ?? "-" },
    { title: "DEVICES", gives: [[1, "below"] as const], cell: (op: Op) => op.devices.join(" ") },
    { title: "WHY", prose: true as const, cell: (op: Op) => op.why },
  ];
  const lines = table(columns, ops, width === null ? null : width - 2, whole ? null : opFolding);
  return lines.map((line) => `  ${line}`);
}

type Going = PlanView["goes"][number];

/**
 * Returns which replicas go since a service has fewer, and why these: those that run first. On a terminal many of one
 * reason are one.
 */
export function goingLines(goes: PlanView["goes"], width: number | null): string[] {
  const sorted = goes.toSorted((a, b) => rankOfGoing(a) - rankOfGoing(b));
  const alone = ({ name, detail }: Going): string[] => hang(`  ${clean(name)} goes: ${clean(detail)}`, width, "    ");
  if (goes.length <= FEW || width === null) return sorted.flatMap(alone);
  return [...Map.groupBy(sorted, saidOfGoing)].flatMap(([said, those]) => {
    const [only] = those;
    if (only !== undefined && those.length === 1) return alone(only);
    const details = new Set(those.map(({ detail }) => detail));
    const detail = details.size === 1 && !PLAIN.has(said) ? `: ${clean(only?.detail ?? "")}` : "";
    const names = namesText(those.map(({ name }) => clean(name)));
    return hang(`  ${those.length} ${said} go: ${names}${detail}`, width, "    ");
  });
}

const rankOfGoing = ({ running, why }: Going): number =>
  (running ? 0 : WHY_GOES.length) + (WHY_GOES.length - 1 - WHY_GOES.indexOf(why));

/** What runs, or waits, and is no worse than others needs no further words. */
const PLAIN: ReadonlySet<string> = new Set(["running", "pending"]);

function saidOfGoing({ why, running }: Going): string {
  if (why === "highest") return running ? "running" : "pending";
  if (why === "unsettled") return running ? "running for a short time" : "starting";
  return { pending: "pending", crashing: "crashing", leaving: "leaving", silent: "on silent nodes" }[why];
}
