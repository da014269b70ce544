// `orch node drain --wait`: follows a drain until no task is left on the node, and prints what each task there waits
// for.

import type { Ms } from "../../core/units";
import { pause } from "../../os/clock";
import type { DrainProgress } from "../../wire/api/drains";
import type { Client } from "../../wire/client";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { clean } from "../print/clean";
import { paintState } from "../print/color";
import { unlessAway, withoutTimes } from "./watching";

const LOOK_MS: Ms = 500;

/** Prints every change once. Returns 0 when the node is drained, and 1 when somebody has resumed it. */
export async function waitForDrain(context: Context, client: Client, node: string): Promise<number> {
  const said = new Map<string, string>();
  let state = "";
  for (;;) {
    const seen = await unlessAway(() => client.drainProgress(node));
    if (seen !== null) {
      sayChanges(context, seen, said);
      if (seen.drain === null) {
        context.note(`orch: ${clean(seen.node)} is not to be drained any more: somebody resumed it`);
        return EXIT.failed;
      }
      if (seen.state !== state) context.print(`${clean(seen.node)}: ${paintState(context.style, seen.state)}`);
      state = seen.state;
      if (state === "drained") return EXIT.done;
    }
    await pause(LOOK_MS);
  }
}

function sayChanges(context: Context, { left }: DrainProgress, said: Map<string, string>): void {
  const there = new Set(left.map(({ task_id }) => task_id));
  for (const { task_id, name, title, why } of left) {
    const called = title ?? name;
    const news = withoutTimes(why);
    if (said.get(task_id)?.endsWith(`\n${news}`) === true) continue;
    said.set(task_id, `${called}\n${news}`);
    context.print(`${clean(called)}: ${clean(why)}`);
  }
  for (const [task_id, text] of said) {
    if (there.has(task_id)) continue;
    said.delete(task_id);
    context.print(`${clean(text.split("\n")[0] ?? "")}: ${context.style.green("gone")}`);
  }
}
