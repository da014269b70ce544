// Which limits of this machine are enforced, which are watched, and which are only counted. They are found out by
// trying, and shown to people. Limits of cards are not tried where there are none.

import type { Limit, NodeLimits } from "../../core/model/rows-node";
import type { Mps } from "../devices/mps";
import { deviceKeepingProblem } from "../../os/cgroup/devices";
import type { Cgroups } from "../../os/cgroup/hierarchy";

export interface Limits {
  /** Returns whether device files can be denied to tasks. It is called only where there are cards. */
  keepsDevices(): boolean;
  /** Returns the limits. `cards` says whether the cards report what each process uses; null if there are no cards. */
  facts(cards: { readonly tell_memory: boolean } | null): NodeLimits;
}

const ENFORCED: Limit = { is: "enforced", why: null };
const counted = (why: string): Limit => ({ is: "counted", why });

export function createLimits(cgroups: Cgroups, mps: () => Mps | null): Limits {
  let tried: { readonly problem: string | null } | null = null;
  const keepingProblem = (): string | null => {
    tried ??= { problem: deviceKeepingProblem(cgroups) };
    return tried.problem;
  };
  const shareOf = (tell_memory: boolean): Limit => {
    if (mps() !== null) return ENFORCED;
    return tell_memory ? { is: "watched", why: "no MPS daemon runs" } : counted("the cards do not tell who takes what");
  };
  const controlled = (controller: "cpu" | "memory"): Limit => {
    const has =
      cgroups.is === "v2"
        ? cgroups.controllers.includes(controller)
        : cgroups.is === "v1" && cgroups.bases.some((base) => base.controller === controller);
    return has ? ENFORCED : counted(cgroups.detail ?? "no control group");
  };
  return {
    keepsDevices: () => keepingProblem() === null,
    facts(cards) {
      const why = cards === null ? null : keepingProblem();
      return {
        cpu: controlled("cpu"),
        memory: controlled("memory"),
        devices: cards === null ? null : why === null ? ENFORCED : counted(why),
        share: cards === null ? null : shareOf(cards.tell_memory),
      };
    },
  };
}
