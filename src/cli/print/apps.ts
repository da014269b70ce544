// Apps as `orch apps` shows them.

import type { Ms } from "../../core/units";
import type { AppView, WorkloadView } from "../../wire/api/apps";
import { age } from "./figures";
import type { Column } from "./table";

const ofKind = ({ workloads }: AppView, kind: WorkloadView["kind"]): WorkloadView[] =>
  workloads.filter((one) => one.kind === kind);
const sum = (all: readonly WorkloadView[], of: "running" | "replicas" | "pending"): number =>
  all.reduce((total, one) => total + one[of], 0);

/** Returns how many replicas run of those that are wanted, as `3/4`; nothing if there is no service. */
function services(app: AppView): string {
  const all = ofKind(app, "service");
  return all.length === 0 ? "" : `${sum(all, "running")}/${sum(all, "replicas")}`;
}

/** Returns how many tasks of daemons run of those that are wanted. */
function daemons(app: AppView): string {
  const all = ofKind(app, "daemon");
  return all.length === 0 ? "" : `${sum(all, "running")}/${sum(all, "running") + sum(all, "pending")}`;
}

/** Returns how many jobs there are, and how many tasks of them run or wait: `2 (1 running)`. */
function jobs(app: AppView): string {
  const all = ofKind(app, "job");
  const said = (["running", "pending"] as const)
    .map((of) => [sum(all, of), of === "pending" ? "waiting" : of] as const)
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`);
  return all.length === 0 ? "" : `${all.length}${said.length === 0 ? "" : ` (${said.join(", ")})`}`;
}

export const appColumns = (now_ms: Ms): Column<AppView>[] => [
  {
    title: "NAME",
    cut: "middle",
    gives: [
      [2, 20],
      [5, 14],
    ],
    cell: ({ name }) => name,
  },
  { title: "PROJECT", gives: [[3, 10]], cell: ({ project }) => project },
  { title: "SERVICES", align: "right", cell: services },
  { title: "DAEMONS", align: "right", cell: daemons },
  { title: "JOBS", cell: jobs },
  { title: "REVISION", align: "right", gives: [[1, 0]], cell: ({ revision }) => String(revision) },
  { title: "CHANGED", align: "right", cell: ({ changed_ms }) => age(changed_ms, now_ms) },
  { title: "BY", gives: [[5, 8]], cell: ({ changed_by }) => changed_by },
  { title: "WHY", prose: true, cell: ({ removing }) => (removing ? "being removed, once its tasks have ended" : "") },
];
