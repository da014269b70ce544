// Builders of users: one by name, and one for each owner of some rows.

import type { UserRow } from "../../src/core/model/rows-state";

/** The tests' usual user, who is there wherever no users are given. */
const USUAL = "alice";
const CREATED_MS = 1_799_999_940_000;

export const buildUser = (name: string, part: Partial<UserRow> = {}): UserRow => ({
  name,
  role: "user",
  unix_user: name,
  accounts: [],
  project: "lab",
  created_ms: CREATED_MS,
  ...part,
});

type Owned = readonly { readonly user: string }[] | undefined;

/** Returns a user for each owner of the rows, beside the usual one. */
export const ownersOf = (...rows: readonly Owned[]): UserRow[] =>
  [...new Set([USUAL, ...rows.flatMap((some) => some ?? []).map(({ user }) => user)])].map((name) => buildUser(name));
