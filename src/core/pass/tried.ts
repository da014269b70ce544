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
  /** By the key of a shape, the last pass that tried all nodes on which it could have come to fit, in vain. */
  readonly shapes: ReadonlyMap<string, number>;
}

/** A node as the last pass saw it. */
export interface TriedNode {
  readonly row: NodeRow;
  readonly usable: boolean;
  /** Whether room was kept there for somebody, which others could not have. */
  readonly kept: boolean;
  /** The last pass before which the node may have come to have more room. */
  readonly grown: number;
}

/** The most shapes that are remembered. Others are tried again in each pass. */
export const MOST_TRIED = 20_000;
