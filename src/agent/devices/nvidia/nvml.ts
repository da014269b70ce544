// NVML, the library of NVIDIA's driver, as typed calls. Numbers, texts and structures are null where the release or the
// card does not report them. Names, arguments and layouts are those of nvml.h.

import type { CardTrouble } from "../device";
import type { TroubleKind } from "../../../core/agent/card-health";
import { openLibrary, type Argument, type ArgumentKind, type Library } from "../../../os/library";

/** Every call that is made. A card's handle is a pointer, passed as a number. */
const CALLS = {
  nvmlInit_v2: [],
  nvmlSystemGetDriverVersion: ["ptr", "u32"],
  nvmlDeviceGetCount_v2: ["ptr"],
  nvmlDeviceGetHandleByIndex_v2: ["u32", "ptr"],
  nvmlDeviceGetName: ["u64", "ptr", "u32"],
  nvmlDeviceGetUUID: ["u64", "ptr", "u32"],
  nvmlDeviceGetMinorNumber: ["u64", "ptr"],
  nvmlDeviceGetPciInfo_v3: ["u64", "ptr"],
  nvmlDeviceGetMemoryInfo: ["u64", "ptr"],
  nvmlDeviceGetMemoryInfo_v2: ["u64", "ptr"],
  nvmlDeviceGetComputeMode: ["u64", "ptr"],
  nvmlDeviceGetEccMode: ["u64", "ptr", "ptr"],
  nvmlDeviceGetTotalEccErrors: ["u64", "u32", "u32", "ptr"],
  nvmlDeviceGetRemappedRows: ["u64", "ptr", "ptr", "ptr", "ptr"],
  nvmlDeviceGetRetiredPagesPendingStatus: ["u64", "ptr"],
  nvmlDeviceGetTemperature: ["u64", "u32", "ptr"],
  nvmlDeviceGetPowerUsage: ["u64", "ptr"],
  nvmlDeviceGetClockInfo: ["u64", "u32", "ptr"],
  nvmlDeviceGetCurrentClocksEventReasons: ["u64", "ptr"],
  nvmlDeviceGetCurrentClocksThrottleReasons: ["u64", "ptr"],
  nvmlDeviceGetUtilizationRates: ["u64", "ptr"],
  nvmlDeviceGetComputeRunningProcesses: ["u64", "ptr", "ptr"],
  nvmlDeviceGetComputeRunningProcesses_v2: ["u64", "ptr", "ptr"],
  nvmlDeviceGetComputeRunningProcesses_v3: ["u64", "ptr", "ptr"],
  nvmlDeviceGetGraphicsRunningProcesses: ["u64", "ptr", "ptr"],
  nvmlDeviceGetGraphicsRunningProcesses_v2: ["u64", "ptr", "ptr"],
  nvmlDeviceGetGraphicsRunningProcesses_v3: ["u64", "ptr", "ptr"],
  nvmlDeviceGetMPSComputeRunningProcesses: ["u64", "ptr", "ptr"],
  nvmlDeviceGetMPSComputeRunningProcesses_v2: ["u64", "ptr", "ptr"],
  nvmlDeviceGetMPSComputeRunningProcesses_v3: ["u64", "ptr", "ptr"],
  nvmlDeviceGetNvLinkState: ["u64", "u32", "ptr"],
  nvmlDeviceGetNvLinkRemoteDeviceType: ["u64", "u32", "ptr"],
  nvmlDeviceGetNvLinkRemotePciInfo_v2: ["u64", "u32", "ptr"],
  nvmlDeviceGetP2PStatus: ["u64", "u64", "u32", "ptr"],
  nvmlDeviceGetTopologyCommonAncestor: ["u64", "u64", "ptr"],
  nvmlDeviceGetMigMode: ["u64", "ptr", "ptr"],
  nvmlDeviceGetMaxMigDeviceCount: ["u64", "ptr"],
  nvmlDeviceGetMigDeviceHandleByIndex: ["u64", "u32", "ptr"],
  nvmlDeviceGetGpuInstanceId: ["u64", "ptr"],
  nvmlDeviceGetComputeInstanceId: ["u64", "ptr"],
} as const satisfies Readonly<Record<string, readonly ArgumentKind[]>>;
export type CallName = keyof typeof CALLS;

/** The values of nvmlReturn_t that the program tells apart. */
export const CODE = {
  success: 0,
  not_supported: 3,
  not_found: 6,
  insufficient_size: 7,
  driver_not_loaded: 9,
  function_not_found: 13,
  version_mismatch: 18,
} as const;

/** The meaning of error codes, to be printed behind a card's name: `card 3: it has fallen off the bus`. */
const MEANING: Readonly<Record<number, string>> = {
  1: "the library was not initialised",
  3: "it does not support this",
  4: "no permission to look",
  6: "it is not found",
  9: "the driver is not loaded",
  10: "the driver did not answer in time",
  11: "its interrupts do not arrive",
  12: "the driver's library is not found",
  14: "its stored information (infoROM) is corrupted",
  15: "it has fallen off the bus",
  16: "it needs a reset",
  17: "the system denies access to the device",
  18: "library and driver are of different versions: reload the driver, or restart the machine",
  20: "there is not enough memory",
  999: "the driver says: unknown error",
};
export const meaningOf = (code: number): string => MEANING[code] ?? `NVML error ${code}`;

const TROUBLES: Readonly<Record<number, TroubleKind>> = { 15: "bus_lost", 16: "needs_reset" };

/** What an error says of the card that it concerns. */
export const troubleOf = (code: number): CardTrouble => ({ is: TROUBLES[code] ?? "other", why: meaningOf(code) });

/** Errors that concern the card as a whole, whatever was asked: the card is lost, or needs a reset. */
const CARD_TROUBLE: ReadonlySet<number> = new Set([15, 16]);

const TEXT_LENGTH = 96;
const PCI_LENGTH = 68;
/** The layout of nvmlPciInfo_t: `busIdLegacy` is followed by domain, bus and device, four bytes each. */
const PCI_DOMAIN_AT = 16;
const MEMORY_V2_LENGTH = 40;
const NOT_AVAILABLE = 2n ** 64n - 1n;
/**
 * The length in bytes of a process in a list: nvmlProcessInfo_v1_t, and the longer form that `_v2` and `_v3` fill in.
 */
const PROCESS_LENGTH = { old: 16, now: 24 } as const;
const MOST_PROCESSES = 4_096;

export interface Memory {
  readonly total: number;
  readonly used: number;
}

export interface RunningProcess {
  readonly pid: number;
  readonly memory_bytes: number | null;
}

export class Nvml {
  readonly #library: Library;

  private constructor(library: Library) {
    this.#library = library;
  }

  static open(path: string): Nvml | string {
    const opened = openLibrary(path, "nvmlInit_v2");
    return opened.is === "opened" ? new Nvml(opened.library) : opened.why;
  }

  code(name: CallName, ...args: readonly Argument[]): number {
    return this.#library.call(name, CALLS[name], ...args) ?? CODE.function_not_found;
  }

  init(): number {
    return this.code("nvmlInit_v2");
  }

  driver(): string | null {
    const text = new Uint8Array(TEXT_LENGTH);
    return this.code("nvmlSystemGetDriverVersion", text, text.length) === CODE.success ? textIn(text) : null;
  }

  /** Returns the number of cards, or the error's code as a negative number. */
  count(): number {
    const out = new Uint32Array(1);
    const code = this.code("nvmlDeviceGetCount_v2", out);
    return code === CODE.success ? (out[0] ?? 0) : -code;
  }

  card(index: number): NvmlDevice | number {
    const out = new BigUint64Array(1);
    const code = this.code("nvmlDeviceGetHandleByIndex_v2", index, out);
    return code === CODE.success ? new NvmlDevice(this, out[0] ?? 0n) : code;
  }
}

/**
 * One card or MIG instance. Each answer is null where there is none. Errors that concern the whole card are noted in
 * `trouble`.
 */
export class NvmlDevice {
  /** The last error that concerns the card as a whole, or null. */
  trouble: number | null = null;
  /** The code that the last call returned. */
  last: number = CODE.success;

  constructor(
    readonly nvml: Nvml,
    readonly handle: bigint,
  ) {}

  #asked(name: CallName, ...args: readonly Argument[]): number {
    const code = this.nvml.code(name, this.handle, ...args);
    if (CARD_TROUBLE.has(code)) this.trouble = code;
    this.last = code;
    return code;
  }

  number(name: CallName, ...args: readonly Argument[]): number | null {
    const out = new Uint32Array(1);
    return this.#asked(name, ...args, out) === CODE.success ? (out[0] ?? null) : null;
  }

  long(name: CallName, ...args: readonly Argument[]): number | null {
    const out = new BigUint64Array(1);
    return this.#asked(name, ...args, out) === CODE.success ? Number(out[0]) : null;
  }

  /** Returns the first number of a structure of two. */
  firstOf(name: CallName): number | null {
    const out = new Uint32Array(2);
    return this.#asked(name, out) === CODE.success ? (out[0] ?? null) : null;
  }

  /** Returns several numbers that one call fills in. */
  numbers(name: CallName, count: number): readonly number[] | null {
    const outs = Array.from({ length: count }, () => new Uint32Array(1));
    return this.#asked(name, ...outs) === CODE.success ? outs.map((out) => out[0] ?? 0) : null;
  }

  text(name: CallName): string | null {
    const text = new Uint8Array(TEXT_LENGTH);
    return this.#asked(name, text, text.length) === CODE.success ? textIn(text) : null;
  }

  /** Returns the address of the card, or of the other end of one of its links: `0000:65:00.0`. */
  pci(name: "nvmlDeviceGetPciInfo_v3" | "nvmlDeviceGetNvLinkRemotePciInfo_v2", ...args: readonly Argument[]) {
    const out = new Uint8Array(PCI_LENGTH);
    if (this.#asked(name, ...args, out) !== CODE.success) return null;
    const at = new DataView(out.buffer);
    const [domain, bus, device] = [0, 4, 8].map((offset) => at.getUint32(PCI_DOMAIN_AT + offset, true));
    return pciAddress(domain ?? 0, bus ?? 0, device ?? 0);
  }

  /**
   * Returns the card's memory. The second version of the call leaves out of `used` what the driver keeps for itself, so
   * that an idle card shows almost none.
   */
  memory(): Memory | null {
    const out = new BigUint64Array(MEMORY_V2_LENGTH / 8);
    out[0] = BigInt(MEMORY_V2_LENGTH | (2 << 24));
    if (this.#asked("nvmlDeviceGetMemoryInfo_v2", out) === CODE.success) {
      return { total: Number(out[1]), used: Number(out[4]) };
    }
    const old = new BigUint64Array(3);
    if (this.#asked("nvmlDeviceGetMemoryInfo", old) !== CODE.success) return null;
    return { total: Number(old[0]), used: Number(old[2]) };
  }

  /**
   * Returns the processes of one kind. `_v2` is tried first: in some releases `_v3` fills in longer entries than its
   * own header says.
   */
  processes(kind: "Compute" | "Graphics" | "MPSCompute"): readonly RunningProcess[] {
    for (const [version, length] of [
      ["_v2", PROCESS_LENGTH.now],
      ["_v3", PROCESS_LENGTH.now],
      ["", PROCESS_LENGTH.old],
    ] as const) {
      const found = this.#processes(`nvmlDeviceGet${kind}RunningProcesses${version}`, length);
      if (found !== null) return found;
    }
    return [];
  }

  #processes(name: CallName, length: number): readonly RunningProcess[] | null {
    for (let room = 64; room <= MOST_PROCESSES; room *= 4) {
      const count = new Uint32Array([room]);
      const out = new Uint8Array(room * length);
      const code = this.#asked(name, count, out);
      if (code === CODE.insufficient_size) continue;
      if (code !== CODE.success) return null;
      const at = new DataView(out.buffer);
      return Array.from({ length: Math.min(count[0] ?? 0, room) }, (_, n) => {
        const memory = at.getBigUint64(n * length + 8, true);
        return {
          pid: at.getUint32(n * length, true),
          memory_bytes: memory === NOT_AVAILABLE ? null : Number(memory),
        };
      });
    }
    return null;
  }

  part(index: number): NvmlDevice | null {
    const out = new BigUint64Array(1);
    const code = this.#asked("nvmlDeviceGetMigDeviceHandleByIndex", index, out);
    return code === CODE.success ? new NvmlDevice(this.nvml, out[0] ?? 0n) : null;
  }
}

function textIn(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).trim();
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** Returns an address as the kernel writes it. NVML does not report the function, which is 0 for cards. */
const pciAddress = (domain: number, bus: number, device: number): string =>
  `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.0`;
