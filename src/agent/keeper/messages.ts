// What agent and keeper say to each other, one JSON object a line. A keeper may be older than its agent: only
// additions, and what is not known is ignored.

import type { GroupLimits } from "../../os/cgroup";
import type { DeviceNumber } from "../../os/device-deny";
import type { TaskExit } from "../tasks/taskdir";

/** Everything that the keeper needs to run one task; it reads no record. */
export interface TaskOrder {
  readonly uid: string;
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `null`: the home of the account, or the root where there is none. */
  readonly workdir: string | null;
  readonly home: string;
  /** The account to switch to; `null`: the keeper's own. */
  readonly account: { readonly name: string; readonly uid: number; readonly gid: number } | null;
  readonly limits: GroupLimits;
  /** Device files that it shall not open, by number. A keeper of before did not know of them. */
  readonly denied?: readonly DeviceNumber[];
  readonly oom_score_adj: number;
  /** `NAME=value` of the environment that all its processes begin with: how they are found without cgroups. */
  readonly marker: string;
  readonly stop: { readonly signal: string; readonly grace_ms: number };
  /** Set for exclusive tasks. */
  readonly lease_ms: number | null;
  readonly log_cap_bytes: number;
  /** What is told of it when its directory is lost. */
  readonly held: unknown;
}

export type ToKeeper =
  | { readonly do: "start"; readonly order: TaskOrder }
  /** Boot time at which the newest answered heartbeat was sent. */
  | { readonly do: "lease"; readonly heard_boot_ms: number };

export type FromKeeper =
  | { readonly is: "here"; readonly version: string; readonly uids: readonly string[] }
  | {
      readonly is: "started";
      readonly uid: string;
      readonly pid: number;
      readonly start: string;
      readonly started_ms: number;
    }
  /** Nothing was executed by this order. `dropped`: it was kept meanwhile, and is not any more. */
  | { readonly is: "refused"; readonly uid: string; readonly why: string; readonly dropped?: true }
  | { readonly is: "ended"; readonly uid: string; readonly exit: TaskExit };
