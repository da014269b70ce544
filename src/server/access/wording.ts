// What is said of a thing to one reader. Those who may not see its inside, its command and directories, read none of
// them in reasons, events and explanations either; and names are as the reader types them.

import type { TaskSpec } from "../../core/model/workload";
import type { Store } from "../../store/store";
import { mayTouch, type Owned } from "./access";
import type { Principal } from "./auth";

/** What a text is about. `spec_hash`: null where it is not known, as of a thing that is gone. */
export interface Subject extends Owned {
  readonly spec_hash: string | null;
}

/** Returns a text about a thing as one reader may read it. */
export type Wording = <T extends string | null>(said: T, of: Subject | undefined) => T;

/** Stands for a path or a command that the reader may not see. */
const HIDDEN = "(hidden)";

/**
 * Returns how texts are worded for a caller. `null`: for a stream that all read alike, so it is worded for those who
 * may see nothing.
 */
export const wordingFor =
  (who: Principal | null, { spec, hasSpec }: Pick<Store, "spec" | "hasSpec">): Wording =>
  <T extends string | null>(said: T, of: Subject | undefined): T => {
    if (said === null) return said;
    const hash = of?.spec_hash ?? null;
    const isInside = who !== null && mayTouch(who, of ?? NOBODYS);
    const told = isInside ? said : withoutInside(said, hash === null || !hasSpec(hash) ? null : spec(hash));
    return (who === null ? told : atHome(told, who.project)) as T;
  };

/** Returns a text in which what is of the reader's own project is named without it, as the reader types it. */
const atHome = (said: string, home: string): string =>
  said.includes(`${home}/`) ? said.replaceAll(new RegExp(`(?<![\\w/.-])${home}/(?=[a-z0-9-]+\\.)`, "g"), "") : said;

/** What is gone, or not known, is for those alone who may see everything. */
const NOBODYS: Owned = { project: "" };

/** A path in a sentence, to its end. A `/` within a word is none: `lab/recs.api.0`, `3/4 up`. */
const PATH = /(?<![\w/-])\/[^\s"'`;,:()]+/g;
/** A change of these keys, as the event of an apply tells it, to its end: a command may have any sign in it. */
const CHANGE = /\b(command|run|workdir|activate\.\w+): [^]* -> [^]*$/;
/** What follows a command that cannot start, in the words of agents. */
const OF_COMMAND = "(?= (?:is (?:not|in no)|cannot)\\b)";
const COMMAND = new RegExp(`(?<=\\bthe command )\\S+${OF_COMMAND}`, "g");

/**
 * Returns a text without the paths and commands of tasks. The spec's own are removed first, since they may have spaces
 * in them; then whatever looks like one, as of an earlier version.
 */
export function withoutInside(said: string, spec: Pick<TaskSpec, "workdir" | "activate" | "command"> | null): string {
  let text = said.replace(CHANGE, `$1: ${HIDDEN}`);
  for (const path of [spec?.workdir ?? "", spec?.activate?.dir ?? ""])
    if (/\s/.test(path)) text = text.replaceAll(path, HIDDEN);
  const command = spec?.command.kind === "argv" ? (spec.command.argv[0] ?? "") : "";
  if (command !== "")
    text = text.replaceAll(new RegExp(`(?<![\\w/.-])${RegExp.escape(command)}${OF_COMMAND}`, "g"), HIDDEN);
  return text.replaceAll(COMMAND, HIDDEN).replaceAll(PATH, HIDDEN);
}
