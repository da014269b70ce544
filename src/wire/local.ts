// What `orch agent leave` and the agent of this machine say to each other over the agent's own socket, one JSON object
// per line.

import { z } from "zod";
import { ms } from "./scalars";

/** The socket in the agent's data directory. Only its owner may open it. */
export const AGENT_SOCKET = "agent.sock";

export const toLocalAgent = z.discriminatedUnion("do", [
  /** Drain this node, then forget it. `in_ms`: tasks that still run after this time are stopped. */
  z.object({ do: z.literal("leave"), in_ms: ms.nullable() }),
  z.object({ do: z.literal("stay") }),
]);
export type ToLocalAgent = z.infer<typeof toLocalAgent>;

const leaveProgress = z.object({
  is: z.literal("leaving"),
  name: z.string(),
  /** Whether the server has made it durable, so that nothing new is placed there. */
  noted: z.boolean(),
  left: z.array(z.object({ name: z.string(), state: z.string() })).readonly(),
});
export type LeaveProgress = z.infer<typeof leaveProgress>;

export const fromLocalAgent = z.discriminatedUnion("is", [
  leaveProgress,
  z.object({ is: z.literal("left"), name: z.string() }),
  z.object({ is: z.literal("stays"), name: z.string(), why: z.string() }),
]);
export type FromLocalAgent = z.infer<typeof fromLocalAgent>;
