// Checks the wishes of a spec: those that only some people may have (another account, a low port, a higher priority),
// and those that this server's settings do not allow.

import { formatDuration } from "../../core/format";
import { leavesLease } from "../../core/agent/step";
import { isGranted } from "../../core/model/account";
import type { Ms } from "../../core/units";
import type { WorkloadDecl } from "../../core/model/workload";
import type { Principal } from "./auth";
import { isSystemName } from "../../os/process/accounts";
import { RefusedError } from "../refused";

const PRIVILEGED_PORT = 1024;

/** Throws RefusedError with every wish of the workloads that `who` may not have. */
export function requireGrants(who: Principal, workloads: readonly WorkloadDecl[]): void {
  const wishes = workloads.flatMap((workload) => refusedWishes(who, workload));
  const first = wishes[0];
  if (first === undefined) return;
  throw new RefusedError(
    "forbidden",
    `${first.path}: ${first.message}`,
    first.account === null
      ? "Ask an operator or an admin of this cluster to apply it"
      : isSystemName(first.account)
        ? "Accounts of the system are for tasks of admins: ask one to apply it"
        : `An admin may grant it: orch user grant ${who.name} ${first.account}`,
    wishes.map(({ path, message }) => ({ line: 0, column: 0, path, message, hint: null })),
  );
}

interface Wish {
  readonly path: string;
  readonly message: string;
  /** The account that was asked for, or null if the wish is for something else. */
  readonly account: string | null;
}

function refusedWishes(who: Principal, { name, spec, settings }: WorkloadDecl): Wish[] {
  const wishes: Wish[] = [];
  const account = spec.unix_user;
  if (account !== null && !isGranted(who, account)) {
    wishes.push({ path: `${name}.user`, message: `the account ${account} was not granted to ${who.name}`, account });
  } else if (who.role !== "admin" && isSystemName(account ?? who.unix_user)) {
    const message = `a token of role ${who.role} has no system account, and ${account ?? who.unix_user} is one`;
    wishes.push({ path: `${name}.user`, message, account: null });
  }
  if (who.role !== "user") return wishes;
  const low = spec.ports.find((port) => port.published !== null && port.published < PRIVILEGED_PORT);
  if (low !== undefined) {
    wishes.push({
      path: `${name}.ports.${low.name}`,
      message: `port ${low.published} is below ${PRIVILEGED_PORT}: for operators`,
      account: null,
    });
  }
  if (settings.priority > 0) {
    wishes.push({
      path: `${name}.priority`,
      message: "a priority above 0 is for operators; lower ones are free",
      account: null,
    });
  }
  return wishes;
}

/**
 * Throws RefusedError for exclusive workloads whose stop would have to begin before they were started, because the
 * grace is longer than the lease.
 */
export function requireLeases(lease_ms: Ms, workloads: readonly WorkloadDecl[]): void {
  const issues = workloads
    .filter(({ spec, settings }) => spec.exclusive && !leavesLease(lease_ms, settings.stop.grace_ms))
    .map(({ name, settings }) => ({
      line: 0,
      column: 0,
      path: `${name}.stop.grace`,
      message:
        `a grace of ${formatDuration(settings.stop.grace_ms)} leaves nothing of the lease of ` +
        `${formatDuration(lease_ms)} that an exclusive task has`,
      hint: "shorten the grace, or let the operator lengthen `lease` in the server's settings",
    }));
  const [first] = issues;
  if (first !== undefined) throw new RefusedError("spec", `${first.path}: ${first.message}`, first.hint, issues);
}
