// Which server an agent follows: none that is older than the newest that it has heard, and no message of another
// session.

import type { Passed, Stamp } from "../model/record";

/** The newest server that an agent has heard. It is durable, so that the agent never follows an older one again. */
export interface Fence {
  readonly cluster_id: string;
  readonly timeline: string;
  readonly epoch: number;
  readonly session: number;
  /** The number of the last message of this session that was applied. Messages are applied without gaps. */
  readonly applied_n: number;
  /** The revision up to which everything was applied; 0 if nothing was. */
  readonly revision: number;
  /**
   * The server's revision when this disk was new. Records of tasks that were assigned until then may have been lost.
   */
  readonly since: number;
  /** The newest signed stamp that this agent has followed: its only evidence of how far the cluster is. Null: none. */
  readonly passed: Passed | null;
}

/** Returns the part of a stamp that its signature covers. */
export const passedOf = ({ timeline, epoch, revision, signature }: Stamp): Passed => ({
  timeline,
  epoch,
  revision,
  signature,
});

/**
 * Returns whether a task of which this disk has no record, and that was assigned at this revision, has never come to
 * this agent. Otherwise the record may be lost: with an earlier disk, or from this one, which had it when the revision
 * was applied.
 */
export const neverCame = ({ since, revision }: Fence, assigned_revision: number): boolean =>
  Math.max(since, revision) < assigned_revision;

export type Greeting =
  | { readonly is: "welcome"; readonly fence: Fence; readonly new_timeline: boolean }
  | { readonly is: "refused"; readonly why: string };

/**
 * Returns whether the agent follows the server that sent this challenge. Epochs rise over restores too, so they order
 * servers of all timelines; revisions are compared within one timeline.
 */
export function greet(fence: Fence | null, stamp: Stamp): Greeting {
  if (fence !== null && stamp.cluster_id !== fence.cluster_id) {
    return {
      is: "refused",
      why: `this node belongs to cluster ${fence.cluster_id}, the server is of ${stamp.cluster_id}`,
    };
  }
  if (fence !== null && stamp.epoch < fence.epoch) {
    return {
      is: "refused",
      why:
        `the server is at epoch ${stamp.epoch}, this node has seen ${fence.epoch}: ` +
        "its database is an old copy; bring it back with: orch restore",
    };
  }
  if (fence !== null && fence.timeline === stamp.timeline && stamp.revision < fence.revision) {
    return {
      is: "refused",
      why:
        `the server is at revision ${stamp.revision}, this node has seen ${fence.revision}: ` +
        "its database is an old copy; bring it back with: orch restore",
    };
  }
  const newTimeline = fence !== null && fence.timeline !== stamp.timeline;
  const revision = fence === null || newTimeline ? 0 : fence.revision;
  return {
    is: "welcome",
    new_timeline: newTimeline,
    fence: {
      cluster_id: stamp.cluster_id,
      timeline: stamp.timeline,
      epoch: stamp.epoch,
      session: stamp.session,
      applied_n: 0,
      revision,
      // A new timeline begins at a revision beyond all that its database knew, which may be less than this disk has
      // seen.
      since: Math.min(fence?.since ?? stamp.revision, stamp.revision),
      passed: passedOf(stamp),
    },
  };
}

/**
 * Returns whether a message is of the session that the agent follows. Any other message is late, a duplicate, or from
 * another server.
 */
export function isCurrent(fence: Fence, stamp: Stamp): boolean {
  return (
    stamp.cluster_id === fence.cluster_id &&
    stamp.timeline === fence.timeline &&
    stamp.epoch === fence.epoch &&
    stamp.session === fence.session
  );
}
