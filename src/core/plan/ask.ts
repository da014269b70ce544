// How a run asks a person when nobody knows how its newest attempt ended: what is known, and the commands that decide.

import { formatAge } from "../format";
import type { RunRow, TaskEnd } from "../model/rows-work";
import { setRun } from "../pass/pass";
import type { Ms } from "../units";
import { waitFor, type ReconcileDraft } from "./draft";

/** Leaves a run to a person, since nobody knows how its newest attempt ended. Its work may be done. */
export function ask(draft: ReconcileDraft, run: RunRow, ends: readonly TaskEnd[]): void {
  const { pass } = draft;
  const nodeName = (id: string): string => pass.nodes.get(id)?.node.name ?? id;
  waitFor(draft, run, 0, sayUnknown(ends, nodeName, pass.now_ms), decisions(run));
  const reason = `${sayUnknown(ends, nodeName, null)}; ${decisions(run).join("; ")}`;
  if (run.reason === reason && run.state === "running") return;
  setRun(draft, { ...run, state: "running", started_ms: run.started_ms ?? pass.now_ms, reason }, reason);
}

/** Returns the two commands that decide about a run, in words. */
const decisions = ({ run }: RunRow): readonly string[] => [
  `orch retry ${run} runs it again`,
  `orch settle ${run} --as succeeded (or failed) takes it as over`,
];

/** Words what is known of ends that nobody knows. With `now_ms` it says how long ago each attempt began. */
function sayUnknown(ends: readonly TaskEnd[], nodeName: (id: string) => string, now_ms: Ms | null): string {
  const [first] = ends;
  const said = ends.map(({ member, node_id, started_ms = null }) => {
    const began = started_ms === null || now_ms === null ? "" : `, began ${formatAge(now_ms - started_ms)} ago`;
    return `${ends.length > 1 ? `member ${member} ` : ""}on ${nodeName(node_id)}${began}`;
  });
  const why = first?.reason === null || first === undefined ? "" : `: ${first.reason}`;
  return `waits for a person: nobody knows how it ended ${said.join(", ")}${why}`;
}
