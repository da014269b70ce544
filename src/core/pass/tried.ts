// What earlier passes have tried in vain. A request that fits nowhere is tried again on a node only when that node may
// have more room than before. So a pass begins where the last one reached its bound on work, however much waits.

import type { Promised } from "../model/promised";
import type { NodeRow } from "../model/rows-node";

export interface Tried {
  /** The number of the pass. */
  readonly pass: number;
  readonly nodes: ReadonlyMap<string, TriedNode>;
  /** The tasks that held room, with what they held, by uid. */
  readonly tasks: ReadonlyMap<string, { readonly node_id: string; readonly promised: Promised }>;
  /** The ports that nobody could have yet, by key: whether one rests, or something else than a task holds it. */
  readonly ports: ReadonlyMap<string, "rests" | "held">;
  /**
   * By the key of a shape or of companions, the last pass that tried all nodes on which they could have come to fit, in
   * vain.
   */
  readonly failures: ReadonlyMap<string, number>;
}

/** A node as the last pass saw it. */
export interface TriedNode {
  readonly row: NodeRow;
  readonly usable: boolean;
  /** Whether room was kept there for somebody, which others could not have. */
  readonly kept: boolean;
  /** The last pass before which the node may have come to have more room. */
  readonly grown: number;
  /** The last pass before which, or in which, anything there has changed. */
  readonly changed: number;
}

/** The most failures that are remembered. Others are tried again in each pass. */
export const MOST_TRIED = 20_000;
