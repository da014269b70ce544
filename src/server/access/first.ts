// The first start of a cluster: makes its admin, whose token is written where only the data directory's owner can read
// it.

import { join } from "node:path";
import { replaceFileNow } from "../../os/files/durable";
import { accountOfProcess } from "../../os/machine";
import { isSystemUid } from "../../os/process/accounts";
import type { Store } from "../../store/store";
import { formatToken } from "../../wire/token";
import type { Identity } from "../context";
import { freshId, tokenRow } from "./tokens";

export const ADMIN = "admin";
export const ADMIN_TOKEN = "admin.token";

/** Returns whether the cluster has no people yet, so that nobody could log in. */
export const isNew = (store: Store): boolean => store.state.users.size === 0;

/**
 * Returns the first admin's account. A server that a person starts is for that person's agents too. A server that has
 * an account of its own, as a service has, does not give that account to tasks.
 */
function adminAccount(): string {
  const { name, uid } = accountOfProcess();
  return isSystemUid(uid) ? "root" : name;
}

/** Makes the admin and a token. Returns the file with the token. The file is written before the token becomes valid. */
export async function makeAdmin(
  store: Store,
  identity: Identity,
  dir: string,
  random: (bytes: number) => string,
  seed: () => string,
): Promise<string> {
  const file = join(dir, ADMIN_TOKEN);
  const id = freshId(store.state, seed);
  const secret = random(20);
  replaceFileNow(file, `${formatToken({ pin: identity.pin, id, secret })}\n`, "durable");
  await store.commit("server", (draft) => {
    draft.put([
      {
        table: "users",
        key: ADMIN,
        row: {
          name: ADMIN,
          role: "admin",
          unix_user: adminAccount(),
          accounts: [],
          project: "default",
          created_ms: draft.now_ms,
        },
      },
      {
        table: "tokens",
        key: id,
        row: tokenRow({ id, secret, role: "admin", user: ADMIN, expires_ms: null, joins: null }, draft.now_ms),
      },
    ]);
    draft.event({ verb: "created", object: ADMIN, project: null, detail: "at the first start" });
  });
  return file;
}
