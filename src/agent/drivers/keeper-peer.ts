// One keeper, as its agent knows it: what it keeps, whether it answers, and what it was asked.

import { within } from "../../os/clock";
import type { LinePeer } from "../../os/files/lines";
import type { ToKeeper } from "../keeper/messages";

export type StartAnswer = { readonly is: "begun" } | { readonly is: "refused"; readonly why: string };

export interface Keeper {
  /** The connection; one that was lost takes what is sent, and sends it nowhere. */
  peer: LinePeer;
  readonly pid: string;
  /** The release of the keeper, or "" until it has greeted, which also tells what it keeps. */
  version: string;
  readonly uids: Set<string>;
  /** Whether the keeper has left an order unanswered, or its connection was lost, and has said nothing since. */
  silent: boolean;
  /** How many pings in a row it has not answered; null if it does not know them. */
  unanswered: number | null;
  /** Starts that wait for their answer, by uid. A repeated start waits for the same answer. */
  readonly asked: Map<string, PromiseWithResolvers<StartAnswer>>;
  /** What is called at the next answers to pings, one at each. */
  readonly heard: (() => void)[];
}

const NOBODY: LinePeer = { send: () => undefined, close: () => undefined };

export const newKeeper = (pid: string): Keeper => ({
  peer: NOBODY,
  pid,
  version: "",
  uids: new Set(),
  silent: false,
  unanswered: null,
  asked: new Map(),
  heard: [],
});

export const tell = (keeper: Keeper, message: ToKeeper): void => keeper.peer.send(message);

export function answer(keeper: Keeper, uid: string, answered: StartAnswer): void {
  keeper.asked.get(uid)?.resolve(answered);
  keeper.asked.delete(uid);
}

/** How long it is waited for a keeper to hear that a batch begins nothing more. */
const HEARD_MS = 250;

/** Has a keeper begin no further element of a batch. Resolves when it has heard that, and after a while in any case. */
export async function halt(keeper: Keeper, uid: string): Promise<void> {
  tell(keeper, { do: "halt", uid });
  // It takes one message after the other, so the answer to this one says that it has taken the one before.
  tell(keeper, { do: "ping" });
  const { promise, resolve } = Promise.withResolvers<void>();
  keeper.heard.push(resolve);
  await within(HEARD_MS, promise, undefined);
  const at = keeper.heard.indexOf(resolve);
  if (at >= 0) keeper.heard.splice(at, 1);
}

/** Returns whether a keeper has a task, was asked to begin it, or has not said yet what it has. */
export const mayKeep = ({ version, uids, asked }: Keeper, uid: string): boolean =>
  version === "" || uids.has(uid) || asked.has(uid);

/** Says which keepers hang, or null if none does. */
export function sayHanging(hanging: readonly Keeper[]): string | null {
  if (hanging.length === 0) return null;
  const tasks = hanging.reduce((sum, { uids }) => sum + uids.size, 0);
  const pids = hanging.map(({ pid }) => pid).join(", ");
  const unknown = hanging.some(({ version }) => version === "");
  const kept = unknown ? "tasks" : `${tasks} ${tasks === 1 ? "task" : "tasks"}`;
  return `its keeper (PID ${pids}) does not answer, and keeps ${kept}: nobody hears of their ends`;
}
