// A token as a row, its id, and the command that a join token belongs to.

import type { State, TokenRow } from "../../core/model/rows-state";
import type { Ms } from "../../core/units";
import { hashSecret } from "../../wire/token";

interface Minting {
  readonly id: string;
  readonly secret: string;
  readonly role: TokenRow["role"];
  readonly user: string | null;
  readonly expires_ms: Ms | null;
}

/** A token's row: of its secret only the hash. */
export const tokenRow = ({ id, secret, role, user, expires_ms }: Minting, created_ms: Ms): TokenRow => ({
  id,
  user,
  role,
  hash: hashSecret(secret),
  created_ms,
  expires_ms,
  revoked_ms: null,
});

/** The command that lets another machine in. */
export const joinCommand = ({ url }: { readonly url: () => string }, token: string): string =>
  `orch agent join ${url()} --token ${token}`;

export function freshId(state: State, seed: () => string): string {
  for (;;) {
    const id = seed().slice(0, 10);
    if (!state.tokens.has(id)) return id;
  }
}
