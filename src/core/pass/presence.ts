// What work needs to find on a node: an account, a directory to start in, an environment of programs. Agents say
// if they have it. What no agent was asked, or one does not say in time, keeps nothing from a node.

import type { AccountFor } from "../model/account";
import { SECOND_MS, type Ms } from "../units";
import type { TaskSpec } from "../model/workload";

/** An account, or a directory as that account sees it (`path`). */
export interface Need {
  readonly account: string;
  readonly path: string | null;
}

/**
 * What a node says of a need. `missing`, `no_directory` (something else is there) and `closed` (the account may not
 * enter it) are of a directory; an account is `there` or `missing`. `silent`: looking does not come to an end there, as
 * on a mount whose server is gone. `unknown`: this cannot be said before a task starts.
 */
export const PRESENCES = ["there", "missing", "no_directory", "closed", "silent", "unknown"] as const;
export type Presence = (typeof PRESENCES)[number];

/** What is known of a need on a node. `asked`: the node was asked so long ago and has not answered. */
export type PresenceFact = { readonly is: Presence } | { readonly is: "asked"; readonly for_ms: Ms };

/** What each node that can be asked has said, by node id and by the key of the need. */
export type Presences = ReadonlyMap<string, ReadonlyMap<string, PresenceFact>>;

/** A node that has not answered for so long gets the work all the same, and its start shows what is missing. */
export const ANSWER_WITHIN_MS = 10 * SECOND_MS;

export const needKey = ({ account, path }: Need): string => `${account}\n${path ?? ""}`;

/** What a task needs to find, each part or null. */
export interface Needs {
  readonly account: Need | null;
  readonly environment: Need | null;
  readonly workdir: Need | null;
}

export const NO_NEEDS: Needs = { account: null, environment: null, workdir: null };

/** Returns what a task of a spec needs to find, if its account is known. */
export function needsOf({ workdir, activate }: Pick<TaskSpec, "workdir" | "activate">, account: AccountFor): Needs {
  if (account.is === "none") return NO_NEEDS;
  const of = (path: string): Need => ({ account: account.name, path });
  return {
    account: { account: account.name, path: null },
    environment: activate === undefined ? null : of(activate.dir),
    workdir: workdir === null ? null : of(workdir),
  };
}

/** Returns the parts of what a task needs that are not null. */
export const partsOf = ({ account, environment, workdir }: Needs): Need[] =>
  [account, environment, workdir].filter((need) => need !== null);

/** What a node says against a need: it lacks it, its look hangs, or it has yet to say. */
export type Against = Exclude<Presence, "there" | "unknown"> | "unsaid";

/**
 * Returns what a node says against a need, or null. A node that cannot be asked says nothing, and neither does one that
 * had its time to answer.
 */
export function against(presences: Presences | undefined, node_id: string, need: Need): Against | null {
  const said = presences?.get(node_id);
  if (said === undefined) return null;
  const fact = said.get(needKey(need)) ?? UNASKED;
  if (fact.is === "asked") return fact.for_ms < ANSWER_WITHIN_MS ? "unsaid" : null;
  return fact.is === "there" || fact.is === "unknown" ? null : fact.is;
}

const UNASKED: PresenceFact = { is: "asked", for_ms: 0 };

/** Returns how long until a node has had its time to answer; null if no node is waited for. */
export function answerDue(presences: Presences | undefined, need: Need): Ms | null {
  let due: Ms | null = null;
  for (const said of presences?.values() ?? []) {
    const fact = said.get(needKey(need)) ?? UNASKED;
    if (fact.is !== "asked" || fact.for_ms >= ANSWER_WITHIN_MS) continue;
    due = Math.min(due ?? ANSWER_WITHIN_MS, ANSWER_WITHIN_MS - fact.for_ms);
  }
  return due;
}
