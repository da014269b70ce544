// Events as `orch events` prints them: who did what to which thing, and why.

import type { EventView } from "../../wire/api/watch";
import { clean } from "./clean";
import type { Style } from "./color";
import { timestamp } from "./figures";

/** Of so many things the last reason is remembered. */
const REMEMBERED_MOST = 1_000;

/**
 * Returns a function that words events, which it is given in their order. The events of one end have one reason, which
 * is said with the first of them.
 */
export function eventTeller(styled: Style): (event: EventView) => string {
  const said = new Map<string, string>();
  return (event) => {
    const { at_ms, actor, verb, object, title, run, project, detail } = event;
    const name = title ?? object;
    const key = run === null ? `${project ?? ""}/${object}` : `run ${run}`;
    const { head, reason } = parts(detail);
    const last = said.get(key);
    if (said.size >= REMEMBERED_MOST) said.clear();
    said.set(key, detail === "" ? `${verb} by ${actor}` : reason);
    const news = isIn(detail, verb, name) ? "" : reason === last ? head : detail;
    const words = `${clean(actor)} ${clean(verb)} ${styled.bold(clean(name))}`;
    return `${styled.dim(timestamp(at_ms))}  ${words}${news === "" ? "" : `  ${clean(news)}`}`;
  };
}

/** Takes `signal TERM: cancelled by alice` apart. */
function parts(detail: string): { readonly head: string; readonly reason: string } {
  const end = /^(?:signal \w+|exit code \d+): /.exec(detail)?.[0].length ?? 0;
  return { head: detail.slice(0, Math.max(0, end - 2)), reason: detail.slice(end) };
}

/** Returns whether a detail is in the other words already: `run failed`, and the name of the run. */
const isIn = (detail: string, verb: string, name: string): boolean =>
  verb.split(" ").includes(detail) || name === detail || name.startsWith(`${detail} (run `);
