// Where a task begins: in which directory, with which command, and whether the keeper may look at these itself.

import { directoryProblem } from "../../os/files/files";
import { isAnyFar } from "../../os/files/near";
import { findCommand } from "../../os/process/spawn";
import type { Whereabouts, Wrapped } from "./command";
import type { TaskOrder } from "./messages";

/** Returns where a task begins, or what is wrong with its directory. */
export function whereabouts(order: TaskOrder): Whereabouts | string {
  const { account, workdir, home } = order;
  const far = needsFar(order);
  if (account !== null || far) return { cwd: workdir ?? "/", far };
  const problem = workdir === null ? null : directoryProblem(workdir);
  return problem ?? { cwd: workdir ?? (directoryProblem(home) === null ? home : "/"), far };
}

/**
 * Returns whether the directory or the command of a task may be on a file system that hangs. Only the task's own
 * process looks at such a one.
 */
function needsFar({ workdir, home, argv, env }: TaskOrder): boolean {
  const [name = ""] = argv;
  const commands = name.includes("/") ? [name] : (env["PATH"] ?? "").split(":");
  return isAnyFar([workdir ?? home, ...commands].filter((path) => path.startsWith("/")));
}

/**
 * Returns why a wrapped command cannot start, or null. The wrapper would notice a missing command only once it runs,
 * and would report that in its own words.
 */
export function missingBehindWrapper(order: TaskOrder, { far }: Whereabouts, wrapped: Wrapped): string | null {
  const name = order.argv[0] ?? "";
  if (wrapped.argv[0] === name || order.account !== null || far) return null;
  const found = findCommand(name, order.env["PATH"] ?? "", wrapped.cwd);
  return found === null ? `the command ${name} is not there or not executable` : null;
}
