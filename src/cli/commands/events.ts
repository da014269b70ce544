// `orch events`: the acts of people and of the plan, newest last. `-f` also prints later events as they come.

import { command, flag, reading, whole } from "../frame/command";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { readDuration } from "../../spec/grammar/units";
import { isAbout } from "../../core/plan/events";
import type { EventView } from "../../wire/api/watch";
import { clean } from "../print/clean";
import { timestamp } from "../print/figures";
import { watchFrom } from "../follow/watching";

export const events = command({
  reads: true,
  operands: ["[OBJECT]"],
  options: {
    follow: flag("-f, --follow", "go on with what happens"),
    since: reading("--since <DURATION>", "only so far back", readDuration),
    limit: whole("-n, --limit <N>", "at most so many (50)", 1),
  },
  examples: [
    ["orch events --since 1h", "the last hour"],
    ["orch events recs.api -f", "one workload, as it happens"],
  ],
  async run(context, { args: [object], flags, shape }) {
    const client = await context.client();
    const revision = flags.follow ? (await client.me()).revision : 0;
    const read = await client.events({
      limit: flags.limit ?? 50,
      ...(object === undefined ? {} : { object }),
      ...(flags.since === null ? {} : { since_ms: context.now() - flags.since }),
    });
    if (shape === "json" && !flags.follow) context.json(read);
    else for (const event of read.events.toReversed()) show(context, event, shape);
    if (!flags.follow) return EXIT.done;
    for await (const change of watchFrom(context, client, revision)) {
      if (change.kind !== "event" || (object !== undefined && !isAbout(change.event, object))) continue;
      show(context, change.event, shape);
      await context.host.out.drained();
    }
    return EXIT.done;
  },
});

function show(context: Context, event: EventView, shape: "text" | "json" | "ids"): void {
  if (shape === "json") context.host.out.write(`${JSON.stringify(event)}\n`);
  else if (shape === "ids") context.print(event.id);
  else {
    const { at_ms, actor, verb, object, detail } = event;
    const words = `${clean(actor)} ${clean(verb)} ${context.style.bold(clean(object))}`;
    context.print(`${context.style.dim(timestamp(at_ms))}  ${words}${detail === "" ? "" : `  ${clean(detail)}`}`);
  }
}
