// The seal of an assignment: the server's signature, by which a restored server knows what a server of its cluster has
// assigned, and to which node. A node's word alone makes no attempt of somebody's workload.

import { canonicalJson } from "../canonical";
import { successorUid } from "../fresh";
import { HOUSE_LIMITS } from "../limits";
import type { TaskReport } from "../model/record";
import type { TaskIdentity, TaskRow } from "../model/rows-task";

type Place = Pick<TaskIdentity, "owner_uid" | "slot" | "member">;
type Signed = Place & Pick<TaskIdentity, "run" | "version" | "spec_hash">;
type Granted = Pick<TaskRow, "uid" | "attempt" | "grant_until">;

/** `place`: the slot and the attempt. `identity`: also the run's number, the version and the spec. */
export type SealScope = "place" | "identity";

/** Returns the text that the server signs when it assigns a task. */
export const sealText = (
  cluster_id: string,
  node_id: string,
  { owner_uid, slot, member, run, version, spec_hash }: Signed,
  { uid, attempt, grant_until }: Granted,
): string => {
  const place = { cluster_id, node_id, owner_uid, slot, member, uid, attempt, grant_until };
  return `orch-task-v2\n${canonicalJson({ ...place, run, version, spec_hash })}`;
};

/** Returns the text that earlier builds signed. It covers the place alone. */
const placeText = (
  cluster_id: string,
  node_id: string,
  { owner_uid, slot, member }: Place,
  { uid, attempt, grant_until }: Granted,
): string =>
  `orch-task-v1\n${canonicalJson({ cluster_id, node_id, owner_uid, slot, member, uid, attempt, grant_until })}`;

/**
 * Returns whether a server has assigned the reported attempt to this node, or an attempt under whose grant the node's
 * agent made it. A later attempt's uid follows from the uid that was assigned. A signature of an earlier build holds
 * for the place, and for no whole identity.
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
  if (verify(sealText(cluster_id, node_id, identity, assigned), seal.signature)) return true;
  return scope === "place" && verify(placeText(cluster_id, node_id, identity, assigned), seal.signature);
}
