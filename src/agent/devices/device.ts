// What every vendor's probe returns: its cards as they are now, or why they cannot be seen.

import type { TroubleKind } from "../../core/agent/card-health";
import { NO_GAUGES, type ComputeMode, type Gauges, type Link, type Vendor } from "../../core/model/device";
import type { Bytes } from "../../core/units";

/** A process on a card, as the vendor's library reports it. cards/owners finds out which task it belongs to. */
export interface CardProcess {
  readonly pid: number;
  readonly memory_bytes: Bytes | null;
}

/**
 * What the library warns of while the card still works. `remap_pending`: broken memory is put out of use at the next
 * reset. `remap_failed`: broken memory could not be put out of use. `ecc_pending`: a change of ECC waits for a reset.
 */
export type Warning = "remap_pending" | "remap_failed" | "ecc_pending";

/** Why a card cannot be used. `why` is in the library's words: `it has fallen off the bus`. */
export interface CardTrouble {
  readonly is: TroubleKind;
  readonly why: string;
}

/** One card, or a part of one (MIG), as it is now. A field is null where the library does not report it. */
export interface Card extends Gauges {
  /** The card's UUID, or an id that differs on every machine and never changes: `amd-1f3c9a77-0000:03:00.0`. */
  readonly id: string;
  readonly vendor: Vendor;
  readonly model: string;
  readonly memory_bytes: Bytes;
  /** The card's position on the bus among the whole cards of its vendor. A part has the index of its card. */
  readonly index: number;
  /**
   * What the vendor's variable calls the card while every card can be opened: the index or MIG's UUID in
   * CUDA_VISIBLE_DEVICES (with CUDA_DEVICE_ORDER=PCI_BUS_ID), the position among the driver's nodes in
   * ROCR_VISIBLE_DEVICES, the position on the bus in ZE_AFFINITY_MASK (with ZE_ENABLE_PCI_ID_DEVICE_ORDER=1). Runtimes
   * count only cards whose files they may open, so `access.ts` counts anew where some are denied. While a card of the
   * vendor is in trouble, the driver may count differently, and UUIDs are safer.
   */
  readonly visible: string;
  readonly pci: string | null;
  readonly numa_node: number | null;
  readonly driver: string | null;
  readonly parent: string | null;
  /**
   * Whether the card is set to be used in parts (MIG). No task can use it as a whole then, even while it has no part.
   */
  readonly split: boolean;
  readonly links: readonly Link[];
  readonly compute_mode: ComputeMode | null;
  readonly ecc: boolean | null;
  /** Device files that a process must open to use the card: `/dev/nvidia0`, `/dev/dri/renderD128`. */
  readonly files: readonly string[];
  readonly processes: readonly CardProcess[];
  readonly warnings: readonly Warning[];
  /** Null while nothing is wrong. The other fields are the last known ones otherwise, and there are no readings. */
  readonly trouble: CardTrouble | null;
}

/** What a card is that its driver says no more of: whole, unconnected, with no readings and in no trouble. */
export const PLAIN_CARD = {
  parent: null,
  split: false,
  links: [],
  compute_mode: null,
  ecc: null,
  ...NO_GAUGES,
  processes: [],
  warnings: [],
  trouble: null,
} satisfies Partial<Card>;

export type DeviceLook =
  /** This machine has no card and no driver of the vendor. The look cost nothing, and nobody is warned. */
  | { readonly is: "none" }
  | {
      readonly is: "seen";
      /**
       * Whole cards by their index, each followed by its parts. A card that the driver no longer counts is left out.
       */
      readonly cards: readonly Card[];
      /** Files that every task with a card of this vendor needs as well: `/dev/nvidiactl`, `/dev/kfd`. */
      readonly shared_files: readonly string[];
      /** Cards that are there and were never seen well enough to be listed: `card 3: it has fallen off the bus`. */
      readonly unknown: readonly string[];
    }
  /** A driver is there and does not answer, or not in time. */
  | { readonly is: "failed"; readonly why: string };

/** Looks at the cards of one vendor. A look never blocks the agent and always ends, at the latest at its time limit. */
export interface DeviceProbe {
  readonly vendor: Vendor;
  /** Looks once. A caller who asks while a look is under way gets the result of that look. */
  look(): Promise<DeviceLook>;
  /**
   * Closes library and devices, as the reset of a card or the installation of a driver needs it. The next look opens
   * them again.
   */
  close(): void;
}

/**
 * Where probes look. All paths are absolute, since a bare library name would be looked for in the current directory.
 */
export interface ProbePlaces {
  /** The directory that contains `sys`, `proc` and `dev`: `/` outside of tests. */
  readonly root: string;
  /**
   * The library or tool that a person has named (`ORCH_NVML` and its like). Null: the places where distributions put
   * it.
   */
  readonly nvml: string | null;
  readonly nvidia_smi: string | null;
  readonly amd_smi: string | null;
  readonly rocm_smi: string | null;
  readonly xpu_smi: string | null;
  readonly system_profiler: string | null;
}

/** How long a look may take. The first look after a start may have to wake all cards, and gets longer. */
export interface LookLimits {
  readonly first_ms: number;
  readonly later_ms: number;
}

export const LOOK_LIMITS: LookLimits = { first_ms: 25_000, later_ms: 10_000 };

/** Everything that a task needs to open one card. */
export interface Handle {
  readonly id: string;
  readonly vendor: Vendor;
  readonly parent: string | null;
  /** What the vendor's variable calls the card: see `Card.visible`. */
  readonly visible: string;
  readonly files: readonly string[];
  /** Files that every user of a card of this vendor opens as well. */
  readonly shared_files: readonly string[];
  /** Whether the driver counts its cards as the agent does. While a card is in trouble, a driver may leave some out. */
  readonly counted: boolean;
  /** Whether the card is no longer seen. No driver counts it then, though its files may still exist. */
  readonly missing: boolean;
}
