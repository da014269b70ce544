// What follows from a finding: which cards get no new work, which tasks have to end, and which task is to blame.

import type { CardUser, Holder } from "./card-users";
import { findingName, sayFinding, type FindingRule } from "../model/findings";
import type { Ms } from "../units";

/** A card that a finding is about, with its holders and the processes on it. */
export interface Patient {
  readonly id: string;
  readonly holders: readonly Holder[];
  readonly users: readonly CardUser[];
}

export interface Diagnosis {
  /** Ids of the cards to keep out of use. */
  readonly quarantined: readonly string[];
  /** Why tasks have to end, by their uid. */
  readonly stopped: ReadonlyMap<string, string>;
  /** What tasks are blamed for, by their uid, in words for the reason of their end. */
  readonly blamed: ReadonlyMap<string, string>;
}

/**
 * Returns what follows from a finding. `pid` is the process whose work caused it, or null if the finding names none.
 * `at_ms` is when it occurred.
 */
export function diagnose(
  key: string,
  rule: FindingRule,
  patients: readonly Patient[],
  pid: number | null,
  at_ms: Ms,
): Diagnosis {
  const said = sayFinding(key, rule);
  const quarantined = rule.class === "quarantine" ? patients.map(({ id }) => id) : [];
  const had = patients.flatMap(({ holders }) => holders).filter(({ started_ms }) => (started_ms ?? 0) <= at_ms);
  const stops = rule.class === "quarantine" && rule.running === "stop" ? had : [];
  const guilty = rule.class === "blame" ? culpritOf(patients, pid) : null;
  return {
    quarantined,
    stopped: new Map(stops.map(({ uid }) => [uid, `lost its GPU: ${said}`])),
    blamed: new Map(guilty === null ? [] : [[guilty, `${findingName(key)}: ${rule.means}`]]),
  };
}

/**
 * Returns the uid of the task to blame: the process's task, or the only holder if the process is not on the cards. If
 * there are several holders, none is blamed without proof.
 */
function culpritOf(patients: readonly Patient[], pid: number | null): string | null {
  const user = patients.flatMap(({ users }) => users).find((one) => one.pid === pid);
  if (user !== undefined) return user.task_uid;
  const uids = new Set(patients.flatMap(({ holders }) => holders.map(({ uid }) => uid)));
  const [only] = uids;
  return uids.size === 1 && only !== undefined ? only : null;
}
