// What follows from a finding: which cards get nothing new, which tasks have to end, and which one is to blame.

import type { CardUser, Holder } from "./card-users";
import { findingName, sayFinding, type FindingRule } from "../model/findings";
import type { Ms } from "../units";

/** A card that a finding is about, with who is on it. */
export interface Patient {
  readonly id: string;
  readonly holders: readonly Holder[];
  readonly users: readonly CardUser[];
}

export interface Diagnosis {
  /** Cards to keep out of use. */
  readonly quarantined: readonly string[];
  /** Tasks to end, by uid. */
  readonly stopped: ReadonlyMap<string, string>;
  /** Tasks that brought it about, by uid, in words for the reason of their end. */
  readonly blamed: ReadonlyMap<string, string>;
}

/** `pid` is whose work it was, `null` where that is not told; `at_ms` is when it came about. */
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

/** The task of the process; without one, a task that has the card to itself. Of several nobody is blamed unproven. */
function culpritOf(patients: readonly Patient[], pid: number | null): string | null {
  const user = patients.flatMap(({ users }) => users).find((one) => one.pid === pid);
  if (user !== undefined) return user.task_uid;
  const uids = new Set(patients.flatMap(({ holders }) => holders.map(({ uid }) => uid)));
  const [only] = uids;
  return uids.size === 1 && only !== undefined ? only : null;
}
