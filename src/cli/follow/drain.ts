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
import { byName, fold, foldedName } from "../print/fold";
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

/** Prints what is new: tasks of which the same is told are one line. */
function sayChanges(context: Context, { left }: DrainProgress, said: Map<string, string>): void {
  const there = new Set(left.map(({ task_id }) => task_id));
  const news = left.filter(({ task_id, why }) => said.get(task_id)?.endsWith(`\n${withoutTimes(why)}`) !== true);
  for (const those of Map.groupBy(news, ({ why }) => withoutTimes(why)).values()) {
    sayOf(context, those.map(called), clean(those[0]?.why ?? ""));
  }
  for (const one of news) said.set(one.task_id, `${called(one)}\n${withoutTimes(one.why)}`);
  const gone = [...said].filter(([task_id]) => !there.has(task_id));
  if (gone.length > 0) {
    const names = gone.map(([, text]) => text.split("\n")[0] ?? "");
    sayOf(context, names, context.style.green("gone"));
  }
  for (const [task_id] of gone) said.delete(task_id);
}

const called = ({ title, name }: DrainProgress["left"][number]): string => title ?? name;

/** Off a terminal each task has a line of its own. */
function sayOf({ host, say }: Context, names: readonly string[], what: string): void {
  const byNumber = names.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const slots = byName<string>((name) => name);
  const titles = host.out.tty
    ? [
        fold(byNumber, slots, () => "")
          .map(foldedName)
          .join(", "),
      ]
    : names;
  for (const title of titles) say(`${clean(title)}: ${what}`);
}
