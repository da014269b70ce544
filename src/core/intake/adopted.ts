// The row of an attempt that only its agent knows, and the grant under which the agent made it. What the attempt is
// called, whose it is and what it runs comes from the server's own rows, since a node's word must not give a task
// another name, project or user.

import { identityIn, identityOf, newTask } from "../model/new-task";
import type { TaskReport } from "../model/record";
import type { NodeRow } from "../model/rows-node";
import type { State } from "../model/rows-state";
import type { TaskIdentity, TaskRow } from "../model/rows-task";
import type { TaskEnd } from "../model/rows-work";
import { slotKey } from "../model/task";
import { successorUid } from "../fresh";
import { inSlot, type IntakeContext, type IntakeDraft } from "./draft";

/** Numbers of runs, attempts and slots are believed up to here, which is more than any cluster comes to. */
export const NUMBER_MAX = 1_000_000_000;

export const isBelievable = ({ grant_until }: TaskReport, { slot, member, attempt }: TaskIdentity): boolean =>
  attempt > 0 && Math.max(slot, member, attempt, grant_until) <= NUMBER_MAX;

/**
 * Returns the row of an attempt that the server has not seen, made from its agent's entry. `earlier` is the attempt
 * under whose grant the agent made it, if the server knows that one. Returns null if the entry lacks the identity or
 * the promise, if its numbers cannot be believed, or if no workload or run is its owner.
 */
export function rowOf(
  state: State,
  node: NodeRow,
  entry: TaskReport,
  context: IntakeContext,
  earlier: TaskRow | TaskEnd | null,
): TaskRow | null {
  const { held } = entry;
  const identity = ownIdentity(state, node, entry, context, earlier);
  if (identity === null || held === null || !isBelievable(entry, identity)) return null;
  const granted = earlier === null ? entry.grant_until : (earlier.grant_until ?? 0);
  return newTask({
    uid: entry.uid,
    identity,
    node,
    grant_until: Math.max(granted, identity.attempt),
    promised: held,
    unix_user: entry.unix_user,
    exclusive: entry.exclusive,
    created_ms: context.now_ms,
    assigned_revision: context.revision,
  });
}

/**
 * Returns what the server itself knows of the reported attempt: all of the earlier attempt's identity but the number,
 * or the identity that the attempt has by its workload or run. The entry's own version and spec count only where the
 * server's signature covers them: a restored copy may be older than they are.
 */
function ownIdentity(
  state: State,
  node: NodeRow,
  entry: TaskReport,
  context: IntakeContext,
  earlier: TaskRow | TaskEnd | null,
): TaskIdentity | null {
  const { identity } = entry;
  if (identity === null) return null;
  if (earlier !== null && "desired" in earlier) return { ...identityIn(earlier), attempt: identity.attempt };
  const owner = state.runs.get(identity.owner_uid) ?? state.workloads.get(identity.owner_uid);
  if (owner === undefined) return null;
  const own = identityOf(owner, identity);
  if ("run" in owner) return own;
  if (earlier !== null) return { ...own, version: earlier.version, spec_hash: earlier.spec_hash ?? own.spec_hash };
  const { version, spec_hash } = identity;
  return context.isAssigned(node.id, entry, "identity") ? { ...own, version, spec_hash } : own;
}

/**
 * Returns the earlier attempt under whose grant the agent made this attempt, or null. The server has not heard of this
 * attempt if the agent can no longer read the record that names it. Two things are the proof: the earlier attempt was
 * this node's and its grant is open and includes this attempt; and the uid is `successorUid` of the earlier attempt's
 * uid, applied once for each attempt in between. An agent that has told an attempt's end without a successor makes no
 * further attempts: the slot may be another node's by then.
 */
export function grantOf(
  state: State,
  draft: IntakeDraft,
  node: NodeRow,
  uid: string,
  { owner_uid, slot, member, attempt }: TaskIdentity,
): TaskRow | TaskEnd | null {
  const row = state.slots.get(slotKey(owner_uid, slot));
  if (row === undefined || attempt > row.attempts) return null;
  const living = [...inSlot(state, draft, { owner_uid, slot })].flatMap((one) => state.tasks.get(one) ?? []);
  const isEarlier = (one: TaskRow | TaskEnd): boolean => {
    if (one.node_id !== node.id || one.member !== member || one.attempt >= attempt) return false;
    if (attempt > (one.grant_until ?? one.attempt)) return false;
    let next = one.uid;
    for (let n = one.attempt + 1; n <= attempt; n++) next = successorUid(next, n);
    return next === uid;
  };
  return [...living, ...row.ends].find(isEarlier) ?? null;
}
