// Which limits of this machine are enforced, which are watched, and which are only counted: told to people, and found
// out by trying. What is about cards is not asked where there are none.

import type { Limit, NodeLimits } from "../core/model";
import { deviceKeepingProblem, type Cgroups } from "../os/cgroup";

export interface Limits {
  /** Whether device files can be kept from tasks; only asked where there are cards. */
  keepsDevices(): boolean;
  facts(has_cards: boolean): NodeLimits;
}

const ENFORCED: Limit = { is: "enforced", why: null };
const counted = (why: string): Limit => ({ is: "counted", why });

export function createLimits(cgroups: Cgroups): Limits {
  let tried: { readonly problem: string | null } | null = null;
  const keepingProblem = (): string | null => {
    tried ??= { problem: deviceKeepingProblem(cgroups) };
    return tried.problem;
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
    facts(has_cards) {
      const why = has_cards ? keepingProblem() : null;
      return {
        cpu: controlled("cpu"),
        memory: controlled("memory"),
        devices: has_cards ? (why === null ? ENFORCED : counted(why)) : null,
        share: has_cards ? { is: "watched", why: null } : null,
      };
    },
  };
}
