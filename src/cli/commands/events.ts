// `orch events`: the acts of people and of the plan, newest last. `-f` also prints later events as they come.

import { command, flag, reading, whole } from "../frame/command";
import { EXIT } from "../failure";
import { readDuration } from "../../spec/grammar/units";
import { isAbout } from "../../core/plan/events";
import type { EventView } from "../../wire/api/watch";
import { clean } from "../print/clean";
import { eventTeller } from "../print/events";
import { readEvents } from "../follow/pages";
import { watchFrom } from "../follow/watching";

/** How many events are shown where nobody says how many. */
const SHOWN = 50;

export const events = command({
  reads: true,
  operands: ["[APP|WORKLOAD|TASK|RUN|NODE]"],
  options: {
    follow: flag("-f, --follow", "go on with what happens"),
    since: reading("--since <DURATION>", "only so far back", readDuration),
    limit: whole("-n, --limit <N>", `at most so many (${SHOWN})`, 1),
  },
  examples: [
    ["orch events --since 1h", "the last hour"],
    ["orch events recs.api -f", "one workload, as it happens"],
  ],
  async run(context, { args: [object], flags, shape }) {
    const client = await context.client();
    const tell = eventTeller(context.style);
    const show = (event: EventView): void => {
      if (shape === "json") context.jsonLine(event);
      else if (shape === "ids") context.print(event.id);
      else context.say(tell(event));
    };
    const revision = flags.follow ? (await client.me()).revision : 0;
    const query = {
      ...(object === undefined ? {} : { object }),
      ...(flags.since === null ? {} : { since_ms: (await context.serverNow()) - flags.since }),
    };
    const { items, next, subject, run } = await readEvents(client, query, { most: flags.limit ?? SHOWN });
    if (shape === "json" && !flags.follow) context.json({ events: items, next });
    else for (const event of items.toReversed()) show(event);
    if (!flags.follow) {
      if (items.length === 0 && shape === "text") context.note(nothingOf(object, flags.since !== null));
      if (next !== null && shape === "text") context.note(`the newest ${items.length} events; -n N shows more`);
      return EXIT.done;
    }
    for await (const change of watchFrom(context, client, revision)) {
      if (change.kind !== "event" || (subject !== null && !isAbout(change.event, subject, run))) continue;
      show(change.event);
      await context.host.out.drained();
    }
    return EXIT.done;
  },
});

const nothingOf = (object: string | undefined, since: boolean): string =>
  `no events${object === undefined ? "" : ` of ${clean(object)}`}${since ? " in that time" : ""}`;
