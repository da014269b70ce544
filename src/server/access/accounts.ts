// Which Unix accounts a user may be given: none of the system's. Only names are known here. Each node judges again by
// the uid that a name has there.

import { accountOfProcess } from "../../os/machine";
import { findAccount, isSystemName, isSystemUid } from "../../os/process/accounts";
import { cutText } from "../../core/cut";
import { RefusedError } from "../refused";

const LETTERS_MOST = 32;
const NAME = /^[a-z_][a-z0-9_.-]*$/i;

/**
 * Throws RefusedError if a name is no account's, or if it is the system's or the server's own and the user is no admin.
 */
export async function requireAccounts(role: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const unfit = unfitName(name);
    if (unfit !== null) {
      throw new RefusedError(
        "bad_request",
        unfit,
        "Their account may have another name: orch user add NAME --unix ACCOUNT",
      );
    }
    const why = role === "admin" ? null : await reservedFor(name);
    if (why !== null) {
      throw new RefusedError("bad_request", why, "Name an account of a person or of a service that people run");
    }
  }
}

/** Returns why no Unix account is called so, or null. */
function unfitName(name: string): string | null {
  const isNone = `${JSON.stringify(cutText(name, 40))} is not the name of a Unix account`;
  if (name.length > LETTERS_MOST) return `${isNone}: it has ${name.length} letters, and ${LETTERS_MOST} are the most`;
  return NAME.test(name) ? null : `${isNone}: that has a to z, digits, _, . and -, and begins with a letter or _`;
}

/** Returns why an account is for admins only, as far as its name and this machine tell, or null. */
async function reservedFor(name: string): Promise<string | null> {
  if (isSystemName(name)) return `the account ${name} is the system's: only admins have it`;
  const found = await findAccount(name);
  if (found.is !== "there") return null;
  const { uid } = found.account;
  if (uid === accountOfProcess().uid) return `the account ${name} runs this server: only admins have it`;
  return isSystemUid(uid) ? `the account ${name} (uid ${uid}) is the system's: only admins have it` : null;
}
