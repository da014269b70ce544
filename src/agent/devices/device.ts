// What every vendor's probe gives: its cards as they are now, or why they cannot be seen. One file a vendor behind it.

import type { ComputeMode, Link, Vendor } from "../../core/device";
import type { Bytes } from "../../core/units";

/** A process on a card as the vendor's library tells it; whose it is, is found out elsewhere. */
export interface CardProcess {
  readonly pid: number;
  readonly memory_bytes: Bytes | null;
}

/** One card, or a part of one (MIG), as it is now. `null` is what the library does not tell. */
export interface Card {
  /** Its UUID, or what stands in for one and never changes: `amd-0000:03:00.0`. */
  readonly id: string;
  readonly vendor: Vendor;
  readonly model: string;
  readonly memory_bytes: Bytes;
  /** Its place in the order of the bus among the whole cards of its vendor. */
  readonly index: number;
  readonly pci: string | null;
  readonly numa_node: number | null;
  readonly driver: string | null;
  readonly parent: string | null;
  readonly links: readonly Link[];
  readonly compute_mode: ComputeMode | null;
  readonly ecc: boolean | null;
  /** Device files that a process must open to use it: `/dev/nvidia0`, `/dev/dri/renderD128`. */
  readonly files: readonly string[];
  readonly memory_used_bytes: Bytes | null;
  readonly utilization_percent: number | null;
  readonly temperature_celsius: number | null;
  readonly power_watts: number | null;
  readonly clock_mhz: number | null;
  /** Why it runs slower than it could: `thermal`, `power`; `null`: it does not. */
  readonly throttled: string | null;
  readonly ecc_errors: number | null;
  readonly processes: readonly CardProcess[];
  /** What the library itself says is wrong with it: `fallen off the bus`; `null`: nothing. */
  readonly trouble: string | null;
}

export type Look =
  /** No card or driver of this vendor. It costs nothing and nobody is warned. */
  | { readonly is: "none" }
  /** `shared_files` are what every task with a card of this vendor needs as well: `/dev/nvidiactl`, `/dev/kfd`. */
  | { readonly is: "seen"; readonly cards: readonly Card[]; readonly shared_files: readonly string[] }
  /** There is a driver that does not answer, or not in time. */
  | { readonly is: "failed"; readonly why: string };

/** Looks at the cards of one vendor. A look never blocks the agent and always ends, at the latest after its timeout. */
export interface DeviceProbe {
  readonly vendor: Vendor;
  look(): Promise<Look>;
  close(): void;
}

/** Where probes look; absolute paths only, since a bare library name would be looked for in the current directory. */
export interface ProbePlaces {
  /** Below which `sys`, `proc` and `dev` lie: `/`. */
  readonly root: string;
  /** `ORCH_NVML` and its like; `null`: the places where distributions put them. */
  readonly nvml: string | null;
  readonly nvidia_smi: string | null;
  readonly amd_smi: string | null;
  readonly rocm_smi: string | null;
  readonly xpu_smi: string | null;
  readonly system_profiler: string | null;
}
