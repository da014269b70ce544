// What every vendor's probe gives: its cards as they are now, or why they cannot be seen. One file a vendor behind it.

import type { ComputeMode, Gauges, Link, Vendor } from "../../core/model/device";
import type { Bytes } from "../../core/units";

/** A process on a card as the vendor's library tells it; whose it is, is found out elsewhere. */
export interface CardProcess {
  readonly pid: number;
  readonly memory_bytes: Bytes | null;
}

/**
 * What the library warns of while the card works: memory that is put out of use at the next reset, memory that could
 * not be, a change of ECC that waits for a reset.
 */
export type Warning = "remap_pending" | "remap_failed" | "ecc_pending";

/** One card, or a part of one (MIG), as it is now. `null` is what the library does not tell. */
export interface Card extends Gauges {
  /** Its UUID, or what stands in for one, differs on every machine and never changes: `amd-1f3c9a77-0000:03:00.0`. */
  readonly id: string;
  readonly vendor: Vendor;
  readonly model: string;
  readonly memory_bytes: Bytes;
  /** Its place in the order of the bus among the whole cards of its vendor; a part has its card's. */
  readonly index: number;
  /**
   * What its vendor's variable calls it, where nothing hides the other cards (runtimes count only cards whose files
   * they may open, so where some are denied the places are those among the others): its index or MIG's UUID in
   * CUDA_VISIBLE_DEVICES (with CUDA_DEVICE_ORDER=PCI_BUS_ID), its place among the driver's nodes in
   * ROCR_VISIBLE_DEVICES, its place on the bus in ZE_AFFINITY_MASK (with ZE_ENABLE_PCI_ID_DEVICE_ORDER=1). While a
   * card of the vendor is in trouble, places may not be what the driver counts, and UUIDs are safer.
   */
  readonly visible: string;
  readonly pci: string | null;
  readonly numa_node: number | null;
  readonly driver: string | null;
  readonly parent: string | null;
  /** Whether it is set to be used in parts (MIG): then no task can use it as a whole, also while it has no part. */
  readonly split: boolean;
  readonly links: readonly Link[];
  readonly compute_mode: ComputeMode | null;
  readonly ecc: boolean | null;
  /** Device files that a process must open to use it: `/dev/nvidia0`, `/dev/dri/renderD128`. */
  readonly files: readonly string[];
  readonly processes: readonly CardProcess[];
  readonly warnings: readonly Warning[];
  /**
   * Why it cannot be used, as the library says: `it has fallen off the bus`. Facts are then the last known ones, and
   * there are no readings. `null`: nothing is wrong.
   */
  readonly trouble: string | null;
}

export type Look =
  /** No card or driver of this vendor. It costs nothing and nobody is warned. */
  | { readonly is: "none" }
  | {
      readonly is: "seen";
      /** Whole cards by their index, each followed by its parts. One that the driver no longer counts is not there. */
      readonly cards: readonly Card[];
      /** What every task with a card of this vendor needs as well: `/dev/nvidiactl`, `/dev/kfd`. */
      readonly shared_files: readonly string[];
      /** What is there, but was never seen well enough to be a card: `card 3: it has fallen off the bus`. */
      readonly unknown: readonly string[];
    }
  /** There is a driver that does not answer, or not in time. */
  | { readonly is: "failed"; readonly why: string };

/** Looks at the cards of one vendor. A look never blocks the agent and always ends, at the latest after its timeout. */
export interface DeviceProbe {
  readonly vendor: Vendor;
  /** Who looks while a look is out gets that one. */
  look(): Promise<Look>;
  /** Lets go of library and devices, as a reset of a card or a new driver needs it; the next look takes them again. */
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

/** How long a look may take. The first one after a start may have to wake all cards. */
export interface LookLimits {
  readonly first_ms: number;
  readonly later_ms: number;
}

export const LOOK_LIMITS: LookLimits = { first_ms: 25_000, later_ms: 10_000 };

/** What leads to one card. */
export interface Handle {
  readonly id: string;
  readonly vendor: Vendor;
  readonly parent: string | null;
  /** What its vendor's variable calls it: see `Card.visible`. */
  readonly visible: string;
  readonly files: readonly string[];
  /** What every user of a card of this vendor opens as well. */
  readonly shared_files: readonly string[];
  /** Whether the driver counts its cards as they are counted here; in trouble it may leave some out. */
  readonly counted: boolean;
  /** It is not seen any more: no driver counts it, though its files may still lie there. */
  readonly missing: boolean;
}
