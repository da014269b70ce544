// People by their names: who there is, and who there was.

import { nearest } from "../../spec/grammar/nearest";
import type { Store } from "../../store/store";
import { notFound, type RefusedError } from "../refused";

/** A removed user leaves a grave, so that another person of the same name gets nothing of theirs by accident. */
export const userGrave = (name: string): string => `user/${name}`;

/** Returns the refusal of a name that no user has, with the name that was probably meant. */
export function noUser({ state }: Pick<Store, "state">, name: string): RefusedError {
  const meant = nearest(name, [...state.users.keys()]);
  return notFound(
    `there is no user ${name.slice(0, 40)}`,
    meant === null ? "orch user ls shows them (to operators)" : `Did you mean ${meant}?`,
  );
}

/** Throws RefusedError if nobody has or had this name. */
export function requirePerson(store: Pick<Store, "state" | "history">, name: string): void {
  const { state, history } = store;
  if (state.users.has(name) || history.hasGrave(userGrave(name))) return;
  // Work of people who were removed before graves were kept.
  if (history.runs({ user: name, limit: 1 }).length > 0) return;
  throw noUser(store, name);
}
