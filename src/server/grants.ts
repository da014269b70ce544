// What only some may ask for in a spec: another account, a low port, a place further ahead in the queue.

import type { WorkloadDecl } from "../core/workload";
import type { Principal } from "./auth";
import { RefusedError } from "./refused";

const PRIVILEGED_PORT = 1024;

/** Throws RefusedError with every wish that is not granted to `who`. */
export function demandGrants(who: Principal, workloads: readonly WorkloadDecl[]): void {
  const wishes = workloads.flatMap((workload) => refusedWishes(who, workload));
  const first = wishes[0];
  if (first === undefined) return;
  throw new RefusedError(
    "forbidden",
    `${first.path}: ${first.message}`,
    "Ask an operator or an admin of this cluster to apply it",
    wishes.map((wish) => ({ line: 0, column: 0, ...wish, hint: null })),
  );
}

function refusedWishes(who: Principal, { name, spec, settings }: WorkloadDecl): { path: string; message: string }[] {
  const wishes: { path: string; message: string }[] = [];
  const account = spec.unix_user;
  const free =
    who.role === "admin" ||
    account === null ||
    account === who.unix_user ||
    (who.role === "operator" && account !== "root");
  if (!free) wishes.push({ path: `${name}.user`, message: `the account ${account} was not granted to ${who.name}` });
  if (who.role !== "user") return wishes;
  const low = spec.ports.find((port) => port.published !== null && port.published < PRIVILEGED_PORT);
  if (low !== undefined) {
    wishes.push({
      path: `${name}.ports.${low.name}`,
      message: `port ${low.published} is below ${PRIVILEGED_PORT}: for operators`,
    });
  }
  if (settings.priority > 0) {
    wishes.push({ path: `${name}.priority`, message: "a priority above 0 is for operators; lower ones are free" });
  }
  return wishes;
}
