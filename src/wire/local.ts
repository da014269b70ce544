// What `orch agent leave` and the agent of this machine say to each other over the agent's own socket, one JSON object
// a line.

import type { Ms } from "../core/units";

/** The socket in an agent's directory; its owner alone may open it. */
export const AGENT_SOCKET = "agent.sock";

export type ToLocalAgent =
  /** Drain this node, then forget it; `in_ms`: what still runs then is stopped. */
  { readonly do: "leave"; readonly in_ms: Ms | null } | { readonly do: "stay" };

export interface LeaveProgress {
  readonly is: "leaving";
  readonly name: string;
  /** Whether the server has it on disk, so that nothing new comes. */
  readonly noted: boolean;
  readonly left: readonly { readonly name: string; readonly state: string }[];
}

export type FromLocalAgent =
  | LeaveProgress
  | { readonly is: "left"; readonly name: string }
  | { readonly is: "stays"; readonly name: string; readonly why: string };
