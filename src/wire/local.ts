// What `orch agent leave` and the agent of this machine say to each other over the agent's own socket, one JSON object
// per line.

import type { Ms } from "../core/units";

/** The socket in the agent's data directory. Only its owner may open it. */
export const AGENT_SOCKET = "agent.sock";

export type ToLocalAgent =
  /** `leave`: drain this node, then forget it. `in_ms`: tasks that still run after this time are stopped. */
  { readonly do: "leave"; readonly in_ms: Ms | null } | { readonly do: "stay" };

export interface LeaveProgress {
  readonly is: "leaving";
  readonly name: string;
  /** Whether the server has made it durable, so that nothing new is placed there. */
  readonly noted: boolean;
  readonly left: readonly { readonly name: string; readonly state: string }[];
}

export type FromLocalAgent =
  | LeaveProgress
  | { readonly is: "left"; readonly name: string }
  | { readonly is: "stays"; readonly name: string; readonly why: string };
