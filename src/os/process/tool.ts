// A vendor's tool that is run again and again and may hang. Each run ends in time, and no run is started while a
// process of an earlier one cannot be ended.

import { parsedJson } from "../files/json";
import { startCommand, type RunningCommand, type CommandResult } from "./spawn";

export interface Tool {
  readonly path: string;
  run(args: readonly string[], timeout_ms: number): Promise<CommandResult>;
}

export function createTool(path: string): Tool {
  let stuck: RunningCommand | null = null;
  return {
    path,
    async run(args, timeout_ms) {
      if (stuck?.ended() === true) stuck = null;
      if (stuck !== null) return { is: "failed", why: `${path}: process ${stuck.pid} hangs and cannot be ended` };
      const command = startCommand([path, ...args], timeout_ms);
      const result = await command.result;
      if (!command.ended()) stuck = command;
      return result;
    },
  };
}

/** Returns the JSON in a tool's output, whatever is printed before it; null if there is none, or the tool failed. */
export function jsonIn(result: CommandResult): unknown {
  if (result.is === "failed") return null;
  const at = result.out.search(/^[[{]/m);
  return at < 0 ? null : (parsedJson(result.out.slice(at)) ?? null);
}
