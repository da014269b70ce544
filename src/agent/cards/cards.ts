// Combines the parts that handle the cards of this machine: the cards are watched, reported, and made accessible to the
// tasks that they are promised to.

import type { Device, Reading } from "../../core/model/device";
import type { NodeLimits } from "../../core/model/rows-node";
import type { Promised } from "../../core/model/promised";
import type { BootMs } from "../../core/units";
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
  /** Fake cards (`--device fake:…`). */
  readonly fakes: readonly Device[];
  /**
   * The beginnings of the ids of those cards that this agent may use, with their parts. An empty list means all cards.
   */
  readonly only: readonly string[];
  readonly clock: () => BootMs;
  readonly say: (line: string) => void;
}

export interface AgentCards {
  readonly watch: CardWatch;
  /** Returns how a task gets access to the devices that it was promised, as of now. */
  access(promised: Promised["devices"]): DeviceAccess;
  /** Returns how limits hold on this machine. */
  limits(): NodeLimits;
  /** Returns the newest readings, for a heartbeat. */
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
      // A machine without cards has no other timer than heartbeats. Every SEEK_EVERY_BEATS heartbeats, the agent looks
      // for new cards.
      if (++beats % SEEK_EVERY_BEATS === 0) watch.seek();
      return watch.readings();
    },
  };
}
