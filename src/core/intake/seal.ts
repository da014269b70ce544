// The seal of an assignment: the server's signature, by which a restored server knows what a server of its cluster has
// assigned, and to which node. A node's word alone makes no attempt of somebody's workload.

import { canonicalJson } from "../canonical";
import { successorUid } from "../fresh";
import { HOUSE_LIMITS } from "../limits";
import type { TaskReport } from "../model/record";
import type { TaskIdentity, TaskRow } from "../model/rows-task";

type Place = Pick<TaskIdentity, "owner_uid" | "slot" | "member">;
type Signed = Place & Pick<TaskIdentity, "run" | "version" | "spec_hash" | "project" | "app" | "workload">;
type Granted = Pick<TaskRow, "uid" | "attempt" | "grant_until">;

/**
 * `place`: the slot and the attempt. `identity`: also the run's number, the version and the spec. `name`: also the
 * project and the names, by which a task is known whose workload the server has never heard of.
 */
export type SealScope = "place" | "identity" | "name";

type SealText = (cluster_id: string, node_id: string, signed: Signed, granted: Granted) => string;

/** Returns the text that the server signs when it assigns a task. */
export const sealText: SealText = (cluster_id, node_id, signed, granted) => {
  const { run, version, spec_hash, project, app, workload } = signed;
  const place = placeOf(cluster_id, node_id, signed, granted);
  return `orch-task-v3\n${canonicalJson({ ...place, run, version, spec_hash, project, app, workload })}`;
};

/** Returns what earlier builds signed: no names. */
const namelessText: SealText = (cluster_id, node_id, signed, granted) => {
  const { run, version, spec_hash } = signed;
  const place = placeOf(cluster_id, node_id, signed, granted);
  return `orch-task-v2\n${canonicalJson({ ...place, run, version, spec_hash })}`;
};

/** Returns what builds before those signed: the place alone. */
const placeText: SealText = (cluster_id, node_id, signed, granted) =>
  `orch-task-v1\n${canonicalJson(placeOf(cluster_id, node_id, signed, granted))}`;

const placeOf = (cluster_id: string, node_id: string, { owner_uid, slot, member }: Place, granted: Granted): object => {
  const { uid, attempt, grant_until } = granted;
  return { cluster_id, node_id, owner_uid, slot, member, uid, attempt, grant_until };
};

/** The texts whose signature vouches for a scope. */
const TEXTS: Readonly<Record<SealScope, readonly SealText[]>> = {
  place: [sealText, namelessText, placeText],
  identity: [sealText, namelessText],
  name: [sealText],
};

/**
 * Returns whether a server has assigned the reported attempt to this node, or an attempt under whose grant the node's
 * agent made it. A later attempt's uid follows from the uid that was assigned. The signatures of earlier builds vouch
 * for less.
 */
export function isSealed(
  cluster_id: string,
  node_id: string,
  { uid, identity, grant_until, seal }: TaskReport,
  verify: (text: string, signature: string) => boolean,
  scope: SealScope = "place",
): boolean {
  if (identity === null || seal === undefined) return false;
  const { attempt } = identity;
  if (
    attempt < seal.attempt ||
    attempt > Math.max(grant_until, seal.attempt) ||
    attempt - seal.attempt > HOUSE_LIMITS.grant_attempts
  )
    return false;
  let made = seal.uid;
  for (let n = seal.attempt + 1; n <= attempt; n++) made = successorUid(made, n);
  const assigned = { uid: seal.uid, attempt: seal.attempt, grant_until };
  if (made !== uid) return false;
  return TEXTS[scope].some((text) => verify(text(cluster_id, node_id, identity, assigned), seal.signature));
}
