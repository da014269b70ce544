// The start of one process in a control group: what has to be so at the moment at which it executes, and right after.

import { enterRest } from "../../os/cgroup/enter";
import { joinLate, weigh } from "../../os/cgroup/group";
import type { Cgroups, Group } from "../../os/cgroup/hierarchy";
import type { GroupLimits } from "../../os/cgroup/limits";
import { joinNewKeyring } from "../../os/libc";
import type { Say } from "../../os/log";
import { adjustOom } from "../../os/proc";
import type { Launched } from "../../os/process/spawn";

/** What the processes of a keeper begin with, unless it is changed for them. */
export interface Inherited {
  readonly cgroups: Cgroups;
  /** The keeper's own OOM score, with which its children begin. */
  readonly oom_score_adj: number;
  readonly say: Say;
}

/** What a process begins with. */
interface Begins {
  readonly name: string;
  readonly limits: GroupLimits;
  readonly oom_score_adj: number;
}

/**
 * Calls `start`, which starts a process that joins the first directory of the group by itself. It begins in the other
 * ones, or joins them right after.
 */
export function launchIn(group: Group, begins: Begins, own: Inherited, start: () => Launched): Launched {
  const entered = enterRest(own.cgroups, group);
  // Otherwise a task possesses the keys of the login that started the agent, and of the tasks before it.
  joinNewKeyring();
  const launched: Launched =
    entered.unkept === null
      ? start()
      : { is: "failed", code: null, lacks: "system", why: `devices could not be kept from it: ${entered.unkept}` };
  entered.leave();
  if (launched.is === "failed") return launched;
  const { pid } = launched;
  joinLate(entered.missed, pid);
  const unweighed = weigh(own.cgroups, group, begins.limits);
  if (unweighed !== null) own.say(`task ${begins.name} has no share of its own`, { why: unweighed });
  if (begins.oom_score_adj !== own.oom_score_adj) adjustOom(pid, begins.oom_score_adj);
  return launched;
}
