// The cards of this machine put together for the agent: watched, told, and opened to the tasks that were promised them.

import type { Device, Reading } from "../../core/model/device";
import type { NodeLimits } from "../../core/model/rows-node";
import type { Promised } from "../../core/model/promised";
import type { Ms } from "../../core/units";
import { basePaths, type Cgroups } from "../../os/cgroup/hierarchy";
import { accountOfProcess } from "../../os/machine";
import { accessOf, type DeviceAccess } from "../devices/access";
import { findMps, type Mps } from "../devices/mps";
import { findProbes, probePlaces } from "./probes";
import { openWatch, type CardWatch } from "./watch";
import { createLimits } from "../machine/limits";

export interface CardsOptions {
  /** `<data>/agent`. */
  readonly data: string;
  readonly cgroups: Cgroups;
  /** Cards that are only claimed. */
  readonly fakes: readonly Device[];
  /** Of the machine's cards only those whose ids begin so, and their parts; empty: all. */
  readonly only: readonly string[];
  readonly clock: () => Ms;
  readonly say: (line: string) => void;
}

export interface AgentCards {
  readonly watch: CardWatch;
  /** How a task comes to what it was promised, as of now. */
  access(promised: Promised["devices"]): DeviceAccess;
  /** How limits hold on this machine. */
  limits(): NodeLimits;
  /** What the cards show, for a heartbeat. */
  readings(): readonly Reading[];
}

const SEEK_EVERY_BEATS = 12;

const mps = (): Mps | null => findMps(process.env["CUDA_MPS_PIPE_DIRECTORY"]);

export function openCards({ data, cgroups, fakes, only, clock, say }: CardsOptions): AgentCards {
  const limits = createLimits(cgroups, mps);
  const watch = openWatch({
    data,
    clock,
    fakes,
    only,
    homes: basePaths(cgroups),
    say,
    find: () => findProbes(probePlaces(process.env)),
    log_path: process.env["ORCH_KMSG"] || (process.platform === "linux" ? "/dev/kmsg" : null),
    user: accountOfProcess().name,
  });
  let beats = 0;
  return {
    watch,
    access: (promised) => {
      const keeps = watch.hasCards() && limits.keepsDevices();
      return accessOf(promised, watch.handles(), { keeps, mps: mps() });
    },
    limits: () => limits.facts(watch.hasCards() ? { tell_memory: watch.tellsMemory() } : null),
    readings() {
      // Heartbeats are the only timer of a machine without cards: now and then they look whether some have come.
      if (++beats % SEEK_EVERY_BEATS === 0) watch.seek();
      return watch.readings();
    },
  };
}
