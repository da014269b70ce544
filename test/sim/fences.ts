// What agents and servers reject as older than what they have: an agent's fence only rises, and a server is rejected as
// an old copy only if its database is one.

import type { Fence } from "../../src/core/agent/fence";
import type { Machine } from "./machine";
import type { World } from "./world";
import { demand } from "./violation";

const orderOf = ({ epoch, session, applied_n }: Fence): [number, number, number] => [epoch, session, applied_n];

/** Returns whether a fence names the same server, session and message as another, or a later one. */
function isAsFar(next: Fence, before: Fence): boolean {
  const a = orderOf(before),
    b = orderOf(next);
  const at = a.findIndex((number, i) => number !== b[i]);
  return at < 0 || (b[at] ?? 0) > (a[at] ?? 0);
}

/** Checks that an agent process never returns to a server, a session or a message that it has left behind. */
export function checkFence(machine: Machine, before: Fence | null, next: Fence): void {
  const show = ({ timeline, epoch, session, applied_n, revision }: Fence): string =>
    `${timeline} epoch ${epoch} session ${session} message ${applied_n} revision ${revision}`;
  demand(
    before === null ||
      (isAsFar(next, before) && (next.timeline !== before.timeline || next.revision >= before.revision)),
    "I6: an agent drops what is older",
    () => `${machine.id} goes from ${before === null ? "nothing" : show(before)} to ${show(next)}`,
  );
}

/** Checks that the right database is above everything that agents have seen, also after a restore. */
export function checkFollowed({ server, wrongDatabase }: World): void {
  const fenced = wrongDatabase ? null : (server?.loop.fenced() ?? null);
  demand(fenced === null, "21: only an old copy is refused as one", () => fenced ?? "");
}
