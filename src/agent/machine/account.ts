// Finds the Unix account of a task on this node, or the reason why it gets none. The server has checked the name; this
// file checks the uid, since a name may be another one's alias here.

import type { Assignment } from "../../core/model/record";
import {
  createAccount,
  findAccount,
  isSystemUid,
  type AccountFound,
  type UnixAccount,
} from "../../os/process/accounts";
import { bootMs } from "../../os/clock";
import { accountOfProcess } from "../../os/machine";

export type AccountMode = "existing" | "create" | "shared";

export type TaskAccount =
  | { readonly is: "account"; readonly account: UnixAccount; readonly switched: boolean }
  | { readonly is: "refused"; readonly why: string }
  /** The account could not be looked up now, as while a directory service hangs. It may be there all the same. */
  | { readonly is: "unclear"; readonly why: string };

const given = (account: UnixAccount, switched: boolean): TaskAccount => ({ is: "account", account, switched });
const refused = (why: string): TaskAccount => ({ is: "refused", why });
const unclear = (name: string, why: string): TaskAccount => ({
  is: "unclear",
  why: `the account ${name} could not be looked up: ${why}`,
});

/** The account of all tasks where accounts are shared and the agent may switch to another one. */
export const SHARED_ACCOUNT = "orch-task";
const KNOWN_FOR_MS = 60_000;

/** What an assignment says about the account of its task. */
export type Wanted = Pick<Assignment, "unix_user" | "may_be_system" | "server_uid">;

/** What a look for an account finds. Nothing is created for it. */
export type Standing =
  | { readonly is: "there"; readonly account: UnixAccount; readonly switched: boolean }
  | { readonly is: "missing" }
  /** The account could not be looked up now. */
  | { readonly is: "silent" }
  /** A task would get an account that is not known before it starts, or none for another reason. */
  | { readonly is: "unknown" };

/** Looks accounts up by name. Results are kept for a minute, since directory services are slow. */
export interface Accounts {
  of(wanted: Wanted): Promise<TaskAccount>;
  /** Returns the account that a task would get which asks for this one, as far as it is there. */
  look(name: string): Promise<Standing>;
}

/**
 * Returns why this node refuses the account to a task, or null. Uid 0 and accounts of the system are for tasks of
 * admins, and so is the account of a server on this machine: whoever has it can read the server's key. `switched` is
 * false where the task has no choice: under the account of an agent that is not root, and under the one that all share.
 */
export function refusedAccount(account: UnixAccount, switched: boolean, wanted: Wanted): string | null {
  const { may_be_system, server_uid } = wanted;
  if (may_be_system === true) return null;
  const named = `the account ${account.name} (uid ${account.uid})`;
  if (account.uid === server_uid) return `${named} runs this cluster's server, so only an admin's tasks may have it`;
  if (account.uid !== 0 && !switched) return null;
  return isSystemUid(account.uid) ? `${named} is the system's, so only an admin's tasks may have it` : null;
}

export function createAccounts(mode: AccountMode): Accounts {
  const known = new Map<string, { found: Promise<AccountFound>; at_ms: number }>();
  const own = accountOfProcess();
  const find = (name: string): Promise<AccountFound> => {
    const before = known.get(name);
    if (before !== undefined && bootMs() - before.at_ms < KNOWN_FOR_MS) return before.found;
    const found = findAccount(name);
    known.set(name, { found, at_ms: bootMs() });
    // An account that is missing may exist in a moment, so only found ones are kept.
    const forget = (): void => {
      known.delete(name);
    };
    found.then(({ is }) => (is === "there" ? undefined : forget())).catch(forget);
    return found;
  };

  const ownAccount = async (): Promise<UnixAccount> => {
    const found = await find(own.name);
    return found.is === "there"
      ? found.account
      : { ...own, home: process.env["HOME"] ?? "/", shell: process.env["SHELL"] ?? "/bin/sh" };
  };

  const named = async (name: string, kind: "person" | "tasks", may: "find" | "create"): Promise<TaskAccount> => {
    const found = await find(name);
    if (found.is === "there") return given(found.account, found.account.uid !== own.uid);
    if (found.is === "failed") return unclear(name, found.why);
    if (may === "find") return refused(`no account ${name} on this node (--accounts create would make it)`);
    const why = await createAccount(name, kind);
    const made = await find(name);
    if (made.is === "there") return given(made.account, true);
    if (made.is === "failed") return unclear(name, made.why);
    return refused(`the account ${name} could not be made: ${why ?? "it is still not there"}`);
  };

  const resolved = async (unix_user: string | null): Promise<TaskAccount> => {
    const wanted = unix_user ?? own.name;
    if (own.uid !== 0) {
      if (mode === "shared" || wanted === own.name) return given(await ownAccount(), false);
      return refused(`its agent runs as ${own.name} and takes tasks of that account only, not of ${wanted}`);
    }
    if (mode === "shared") return named(SHARED_ACCOUNT, "tasks", "create");
    if (wanted === own.name) return given(await ownAccount(), false);
    return named(wanted, "person", mode === "create" ? "create" : "find");
  };

  const standing = async (name: string): Promise<Standing> => {
    const asked = mode === "shared" && own.uid === 0 ? SHARED_ACCOUNT : name;
    const isOwn = asked === own.name || own.uid !== 0;
    if (isOwn) return { is: "there", account: await ownAccount(), switched: false };
    const found = await find(asked);
    if (found.is === "failed") return { is: "silent" };
    if (found.is === "missing") return { is: mode === "existing" ? "missing" : "unknown" };
    return { is: "there", account: found.account, switched: found.account.uid !== own.uid };
  };

  return {
    look: standing,
    of: async (wanted) => {
      const account = await resolved(wanted.unix_user);
      if (account.is !== "account") return account;
      // The one account for all tasks is the choice of whoever started the agent, also one of the system's.
      const isAsked = account.switched && mode !== "shared";
      const why = refusedAccount(account.account, isAsked, wanted);
      return why === null ? account : refused(why);
    },
  };
}
