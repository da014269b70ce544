// Reports about the machine over a connection: its facts when they change, and the findings about its cards until the
// server has those on disk.

import { tellLeave } from "./leaving";
import type { ServerLink, ServerHandlers } from "./link";

export const MACHINE: ServerHandlers<"heard"> = {
  heard: (link, { n }) => link.options.health.noted(n),
};

/** Reports the machine, its findings and its leave, each only if it has changed since the last report. */
export function tellChanges(link: ServerLink): void {
  if (link.phase !== "live") return;
  tellLeave(link);
  tellFindings(link);
  tellMachine(link);
}

function tellMachine(link: ServerLink): void {
  const machine = link.options.machine();
  const now = JSON.stringify(machine);
  if (now === link.told.machine) return;
  link.told.machine = now;
  link.send({ type: "facts", machine });
}

function tellFindings(link: ServerLink): void {
  const findings = link.options.health.notices().filter(({ n }) => n > link.told.finding_n);
  const last = findings.at(-1);
  if (last === undefined) return;
  link.told.finding_n = last.n;
  link.send({ type: "findings", findings });
}
