// The whole environment of a task: the variables of a login of its account, those of its spec and the server, and those
// that limit it to its own devices. Nothing of the agent's own environment is in it.

import type { Assignment } from "../../core/model/record";
import type { Variables } from "../../core/model/variables";
import type { UnixAccount } from "../../os/process/accounts";

const PATHS = {
  root: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  people: "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
} as const;

/**
 * Returns the environment. Later entries win: account, assignment, then the `variables` of its cards, so that a spec
 * cannot make other cards visible.
 */
export function environmentOf(
  assignment: Assignment,
  account: UnixAccount,
  variables: Variables,
): Record<string, string> {
  const login: Variables = {
    PATH: account.uid === 0 ? PATHS.root : PATHS.people,
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    SHELL: account.shell,
    LANG: "C.UTF-8",
  };
  return { ...login, ...assignment.env, ...variables } as Record<string, string>;
}
