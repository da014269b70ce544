// What is said of the name of an app or a workload that was removed: when, by whom, and where its history is.

import { formatAge } from "../../core/format";
import type { EventRow } from "../../core/model/rows-state";
import { parseApp, parseName } from "../../core/model/task";
import { notFound, type RefusedError } from "../refused";
import type { NameWish, Searched } from "./named";

/** The most events of a name that are looked through for its removal. Few follow it: the ends of its tasks. */
const EVENTS_LOOKED_AT = 1_000;

/**
 * Returns the refusal of a name that an app or a workload had until it was removed, or null. The asker's project
 * counts first, and others only where a thing of theirs would do.
 */
export function removedBefore(known: Searched, ref: string, asked: NameWish): RefusedError | null {
  if (asked.kinds.every((kind) => kind === "node" || kind === "card")) return null;
  const name = parseName(ref);
  if (name?.is === "run") return null;
  const written = name ?? parseApp(ref);
  if (written === null) return null;
  const { project, app } = written;
  const mine = project ?? asked.project;
  for (const object of name === null ? [app] : [app, `${app}.${name.workload}`]) {
    const removals = known.history
      .events({ object, limit: EVENTS_LOOKED_AT })
      .filter((event) => event.verb === "removed" && event.object === object && event.project !== null);
    const near = removals.filter((event) => event.project === mine);
    const found = near.length > 0 || project !== null || asked.own === true ? near : removals;
    const [last] = found;
    if (last !== undefined && !isThere(known, last)) return said(known, last, asked.project, found);
  }
  return null;
}

/** Returns whether an app of this name was made again. Its own workloads are what there is. */
const isThere = ({ state }: Searched, { object, project }: EventRow): boolean =>
  state.apps.values().some((app) => app.name === object && app.project === project);

function said({ now }: Searched, last: EventRow, mine: string, found: readonly EventRow[]): RefusedError {
  const name = last.project === mine ? last.object : `${last.project}/${last.object}`;
  // The plan removes what a person's removal has left empty.
  const by = found.find(({ actor, project }) => actor !== "plan" && project === last.project)?.actor;
  return notFound(
    `${name} was removed ${formatAge(now() - last.at_ms)} ago${by === undefined ? "" : ` by ${by}`}`,
    `What is kept of it: orch events ${name}; its tasks and runs are in orch ps --all and orch runs, their output in ` +
      "orch logs ID or RUN",
  );
}
