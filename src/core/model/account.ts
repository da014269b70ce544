// The Unix account under which the tasks of a workload or run run, or why there is none.

import type { State, UserRow } from "./rows-state";

export type AccountFor =
  | { readonly is: "account"; readonly name: string }
  | { readonly is: "none"; readonly user: string; readonly why: string };

/**
 * Returns the account of a user's task: the one that its spec names, if it was granted, or the user's own. The name of
 * a removed user is no account.
 */
export function accountFor({ users }: Pick<State, "users">, user: string, asked: string | null): AccountFor {
  const row = users.get(user);
  if (row === undefined) return { is: "none", user, why: `${user}, whose it is, is no user any more` };
  if (asked === null) return { is: "account", name: row.unix_user };
  if (isGranted(row, asked)) return { is: "account", name: asked };
  return { is: "none", user, why: `the account ${asked} is not granted to ${user}` };
}

/**
 * Returns whether a user's tasks may have accounts of the system on the nodes, which refuse them to everybody else's.
 */
export const mayBeSystem = ({ users }: Pick<State, "users">, user: string): boolean =>
  users.get(user)?.role === "admin";

/** Returns whether a user's specs may name the account. The user's own is always granted, and an admin's is any. */
export const isGranted = (user: Pick<UserRow, "role" | "unix_user" | "accounts">, account: string): boolean =>
  user.role === "admin" || user.unix_user === account || user.accounts.includes(account);
