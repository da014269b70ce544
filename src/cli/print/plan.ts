// A plan as `orch plan` and `orch apply` print it: the spec's changes, the operations done at once, and the slots that
// wait.

import type { PlanView } from "../../wire/api/plans";
import { blockedLines } from "./explain";
import { clean } from "./clean";
import type { Style } from "./color";
import { table } from "./table";

type Change = PlanView["changes"][number];

const MARK: Readonly<Record<Change["change"], string>> = {
  add: "+",
  change: "~",
  restart: "↻",
  remove: "-",
  run: "▶",
  none: "=",
};

/** Returns the changes of the spec itself. */
export const changed = (plan: Pick<PlanView, "changes">): readonly Change[] =>
  plan.changes.filter(({ change }) => change !== "none");

export function planLines(plan: PlanView, styled: Style, width: number | null): string[] {
  const lines: string[] = plan.notices.map((notice) => styled.yellow(`note: ${clean(notice)}`));
  lines.push(...changed(plan).map((one) => changeLine(one, styled)));
  if (changed(plan).length === 0) lines.push("nothing to change");
  lines.push(...goingLines(plan.goes).map((line) => `  ${line}`));
  if (plan.ops.length > 0) {
    lines.push(
      "",
      "now:",
      ...table(
        [
          { title: "OP", cell: (op) => op.op },
          { title: "TASK", cell: (op) => op.task },
          { title: "NODE", cell: (op) => op.node ?? "-" },
          { title: "DEVICES", cell: (op) => op.devices.join(" ") },
          { title: "WHY", cell: (op) => op.why },
        ],
        plan.ops,
        width === null ? null : width - 2,
      ).map((line) => `  ${line}`),
    );
  }
  if (plan.blocked.length > 0) {
    lines.push(
      "",
      "waits:",
      ...plan.blocked.flatMap((one) => blockedLines(one, styled, false)).map((line) => `  ${line}`),
    );
  }
  return lines;
}

/** Returns which replicas go since a service has fewer, and why these. */
export function goingLines(goes: PlanView["goes"]): string[] {
  const lines = goes.slice(0, GOES_SHOWN).map(({ name, detail }) => `${clean(name)} goes: ${clean(detail)}`);
  return goes.length > GOES_SHOWN ? [...lines, `and ${goes.length - GOES_SHOWN} more go`] : lines;
}

const GOES_SHOWN = 20;

export function changeLine({ name, change, detail }: Change, styled: Style): string {
  const paint = {
    add: styled.green,
    run: styled.green,
    remove: styled.red,
    none: styled.dim,
    change: styled.yellow,
    restart: styled.yellow,
  }[change];
  return paint(`${MARK[change]} ${clean(name)}${detail === "" ? "" : `  ${clean(detail)}`}`);
}
