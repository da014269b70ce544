// The whole environment of a task: the variables of a login of its account, those of its spec and the server, and those
// that limit it to its own devices. Nothing of the agent's own environment is in it.

import { basename, join } from "node:path";
import type { Assignment } from "../../core/model/record";
import type { Variables } from "../../core/model/variables";
import type { Activate } from "../../core/model/workload";
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
  const env = { ...login, ...assignment.env, ...variables } as Record<string, string>;
  return assignment.activate === undefined ? env : activated(env, assignment.activate);
}

/** Returns the directory that leads PATH, or null. */
export const leadOf = ({ activate }: Pick<Assignment, "activate">): string | null =>
  activate === undefined ? null : join(activate.dir, "bin");

/** Returns an environment as the `activate` of a venv, or of conda, would leave it. */
function activated(env: Readonly<Record<string, string>>, activate: Activate): Record<string, string> {
  const { kind, dir } = activate;
  const named: Variables =
    kind === "venv"
      ? { VIRTUAL_ENV: dir }
      : { CONDA_PREFIX: dir, CONDA_DEFAULT_ENV: env["CONDA_DEFAULT_ENV"] ?? basename(dir) };
  return { ...env, ...(named as Record<string, string>), PATH: `${leadOf({ activate })}:${env["PATH"] ?? ""}` };
}
