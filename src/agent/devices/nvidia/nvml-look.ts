// One look through NVML: every card with its parts and links, as plain data that travels from the child process to the
// agent. It runs in the child, since NVML may hang.

import type { CardTrouble, Warning } from "../device";
import type { ComputeMode, Gauges, Link } from "../../../core/model/device";
import { CODE, meaningOf, troubleOf, Nvml, NvmlDevice, type CallName, type RunningProcess } from "./nvml";

/** A card or a part of one, as NVML alone reports it. */
export interface NvmlCard extends Gauges {
  readonly id: string;
  readonly model: string;
  /** The card's memory in bytes, or null if it shares the machine's. */
  readonly memory_bytes: number | null;
  readonly pci: string | null;
  /** The number `N` of `/dev/nvidiaN`. */
  readonly minor: number | null;
  readonly compute_mode: ComputeMode | null;
  readonly ecc: boolean | null;
  readonly warnings: readonly Warning[];
  readonly processes: readonly RunningProcess[];
  readonly links: readonly Link[];
  /** The card's parts, or null if it is not set to be used in parts. */
  readonly parts: readonly NvmlPart[] | null;
}

export interface NvmlPart {
  readonly id: string;
  readonly model: string;
  readonly memory_bytes: number;
  readonly memory_used_bytes: number | null;
  readonly gpu_instance: number | null;
  readonly compute_instance: number | null;
  readonly processes: readonly RunningProcess[];
}

/** A card that the library counts and cannot identify. Whoever saw it before knows what it was. */
export interface LostCard {
  readonly at: number;
  readonly id: string | null;
  readonly pci: string | null;
  readonly trouble: CardTrouble;
}

export type NvmlLook =
  /** The library does not exist, or cannot be loaded. */
  | { readonly is: "unloadable"; readonly why: string }
  | { readonly is: "failed"; readonly code: number; readonly why: string }
  | {
      readonly is: "seen";
      readonly driver: string | null;
      readonly cards: readonly NvmlCard[];
      readonly lost: readonly LostCard[];
    };

const COMPUTE_MODES: readonly ComputeMode[] = ["shared", "exclusive", "prohibited", "exclusive"];
const UNCORRECTED = 1;
const SINCE_DRIVER_LOAD = 0;
const CORE_SENSOR = 0;
const SM_CLOCK = 1;
/**
 * Bits of nvmlClocksEventReasons. The plain hardware slowdown appears together with one of the two others, or means
 * heat.
 */
const SLOWED = { sw_power: 0x04, hw: 0x08, sw_thermal: 0x20, hw_thermal: 0x40, hw_power: 0x80 } as const;
const MOST_LINKS = 36;
const REMOTE = { card: 0, switch: 2 } as const;
const P2P_BY_NVLINK = 2;
const ANCESTOR = { switches: 20, socket: 40 } as const;

/** NVML between looks: opened and initialised at the first look at which that works. */
export class NvmlLooker {
  #nvml: Nvml | null = null;
  #ready = false;
  /** What the driver said of pairs of cards. It finds that out anew at each call, and the answer does not change. */
  readonly #pairs: Pairs = new Map();

  constructor(readonly path: string) {}

  look(): NvmlLook {
    const nvml = this.#nvml ?? Nvml.open(this.path);
    if (typeof nvml === "string") return { is: "unloadable", why: nvml };
    this.#nvml = nvml;
    if (!this.#ready) {
      const code = nvml.init();
      if (code !== CODE.success) return { is: "failed", code, why: meaningOf(code) };
      this.#ready = true;
    }
    const count = nvml.count();
    if (count < 0) {
      this.#ready = false;
      return { is: "failed", code: -count, why: meaningOf(-count) };
    }
    return lookAt(nvml, count, this.#pairs);
  }
}

/** The driver's answers, by the question and the ids of both cards. */
type Pairs = Map<string, number | null>;

function lookAt(nvml: Nvml, count: number, pairs: Pairs): NvmlLook {
  const seen: ReadCard[] = [];
  const lost: LostCard[] = [];
  for (let at = 0; at < count; at++) {
    const device = nvml.card(at);
    const card =
      typeof device === "number" ? { at, id: null, pci: null, trouble: troubleOf(device) } : read(device, at);
    if ("trouble" in card) lost.push(card);
    else seen.push(card);
  }
  const cards = seen.map((one) => ({ ...one.card, links: linksOf(one, seen, pairs) }));
  return { is: "seen", driver: nvml.driver(), cards, lost };
}

interface ReadCard {
  readonly device: NvmlDevice;
  readonly card: Omit<NvmlCard, "links">;
  readonly reach: Reach;
}

function read(device: NvmlDevice, at: number): ReadCard | LostCard {
  const pci = device.pci("nvmlDeviceGetPciInfo_v3");
  const id = device.text("nvmlDeviceGetUUID");
  if (id === null) return { at, id, pci, trouble: troubleOf(device.last) };
  const memory = device.memory();
  if (memory === null && device.last !== CODE.not_supported) return { at, id, pci, trouble: troubleOf(device.last) };
  const split = device.numbers("nvmlDeviceGetMigMode", 2)?.[0] === 1;
  const card: Omit<NvmlCard, "links"> = {
    id,
    model: device.text("nvmlDeviceGetName") ?? "NVIDIA",
    memory_bytes: memory?.total ?? null,
    pci,
    minor: device.number("nvmlDeviceGetMinorNumber"),
    compute_mode: COMPUTE_MODES[device.number("nvmlDeviceGetComputeMode") ?? -1] ?? null,
    ...eccOf(device),
    memory_used_bytes: memory?.used ?? null,
    utilization_percent: device.firstOf("nvmlDeviceGetUtilizationRates"),
    temperature_celsius: device.number("nvmlDeviceGetTemperature", CORE_SENSOR),
    power_watts: scaled(device.number("nvmlDeviceGetPowerUsage"), 1000),
    clock_mhz: device.number("nvmlDeviceGetClockInfo", SM_CLOCK),
    throttled: throttledOf(device),
    processes: processesOf(device),
    parts: split ? partsOf(device) : null,
  };
  const reach = reachOf(device);
  return device.trouble === null ? { device, card, reach } : { at, id, pci, trouble: troubleOf(device.trouble) };
}

const scaled = (value: number | null, by: number): number | null => (value === null ? null : value / by);

function eccOf(device: NvmlDevice): Pick<NvmlCard, "ecc" | "ecc_errors" | "warnings"> {
  const mode = device.numbers("nvmlDeviceGetEccMode", 2);
  const rows = device.numbers("nvmlDeviceGetRemappedRows", 4);
  const pages = device.number("nvmlDeviceGetRetiredPagesPendingStatus");
  const warnings: Warning[] = [];
  if (mode !== null && mode[0] !== mode[1]) warnings.push("ecc_pending");
  if (rows?.[2] === 1 || pages === 1) warnings.push("remap_pending");
  if (rows?.[3] === 1) warnings.push("remap_failed");
  return {
    ecc: mode === null ? null : mode[0] === 1,
    ecc_errors: device.long("nvmlDeviceGetTotalEccErrors", UNCORRECTED, SINCE_DRIVER_LOAD),
    warnings,
  };
}

function throttledOf(device: NvmlDevice): string | null {
  const reasons =
    device.long("nvmlDeviceGetCurrentClocksEventReasons") ?? device.long("nvmlDeviceGetCurrentClocksThrottleReasons");
  return reasons === null ? null : throttledBy(reasons);
}

/**
 * Returns why clocks are held back, from a set of event reasons, or null. Idling and people's settings are no reasons.
 */
export function throttledBy(reasons: number): string | null {
  if ((reasons & (SLOWED.sw_thermal | SLOWED.hw_thermal)) !== 0) return "thermal";
  if ((reasons & (SLOWED.sw_power | SLOWED.hw_power)) !== 0) return "power";
  return (reasons & SLOWED.hw) === 0 ? null : "thermal";
}

/** Returns each process once, whichever of the lists it is in. */
function processesOf(device: NvmlDevice): readonly RunningProcess[] {
  const found = new Map<number, RunningProcess>();
  for (const kind of ["Compute", "MPSCompute", "Graphics"] as const) {
    for (const one of device.processes(kind)) {
      const before = found.get(one.pid)?.memory_bytes ?? null;
      const memory_bytes = before === null ? one.memory_bytes : Math.max(before, one.memory_bytes ?? 0);
      found.set(one.pid, { pid: one.pid, memory_bytes });
    }
  }
  return [...found.values()].sort((a, b) => a.pid - b.pid);
}

function partsOf(device: NvmlDevice): readonly NvmlPart[] {
  const most = device.number("nvmlDeviceGetMaxMigDeviceCount") ?? 0;
  return Array.from({ length: most }, (_, n) => device.part(n)).flatMap((part) => {
    const id = part?.text("nvmlDeviceGetUUID") ?? null;
    const memory = part?.memory() ?? null;
    if (part === null || id === null || memory === null) return [];
    return {
      id,
      model: part.text("nvmlDeviceGetName") ?? "NVIDIA MIG",
      memory_bytes: memory.total,
      memory_used_bytes: memory.used,
      gpu_instance: part.number("nvmlDeviceGetGpuInstanceId"),
      compute_instance: part.number("nvmlDeviceGetComputeInstanceId"),
      processes: processesOf(part),
    };
  });
}

/** Where a card's own links lead. */
interface Reach {
  readonly cards: ReadonlySet<string>;
  readonly toSwitch: boolean;
}

function reachOf(device: NvmlDevice): Reach {
  const cards = new Set<string>();
  let toSwitch = false;
  for (let link = 0; link < MOST_LINKS; link++) {
    const active = device.number("nvmlDeviceGetNvLinkState", link);
    if (active === null) break;
    if (active === 0) continue;
    const type = device.number("nvmlDeviceGetNvLinkRemoteDeviceType", link) ?? REMOTE.card;
    const pci = type === REMOTE.card ? device.pci("nvmlDeviceGetNvLinkRemotePciInfo_v2", link) : null;
    if (pci !== null) cards.add(pci);
    toSwitch ||= type === REMOTE.switch;
  }
  return { cards, toSwitch };
}

const linksOf = (one: ReadCard, all: readonly ReadCard[], pairs: Pairs): readonly Link[] =>
  all.flatMap((other) => {
    const kind = other === one ? null : kindOf(one, other, pairs);
    return kind === null ? [] : { id: other.card.id, kind };
  });

/** Returns the fastest link between two cards. The report of either card is enough, so that both show the same. */
function kindOf(one: ReadCard, other: ReadCard, pairs: Pairs): Link["kind"] | null {
  const leads = (from: ReadCard, to: ReadCard): boolean => to.card.pci !== null && from.reach.cards.has(to.card.pci);
  if (leads(one, other) || leads(other, one)) return "nvlink";
  if (one.reach.toSwitch && other.reach.toSwitch && meetInSwitch(one, other, pairs)) return "nvlink";
  const level = askedOnce(pairs, "nvmlDeviceGetTopologyCommonAncestor", one, other);
  if (level === null || level > ANCESTOR.socket) return null;
  return level <= ANCESTOR.switches ? "switch" : "socket";
}

/**
 * Returns whether two cards reach each other through a switch. All switches of a machine form one fabric, unless the
 * driver says that these two do not reach each other.
 */
function meetInSwitch(one: ReadCard, other: ReadCard, pairs: Pairs): boolean {
  const status = askedOnce(pairs, "nvmlDeviceGetP2PStatus", one, other, P2P_BY_NVLINK);
  return status === null || status === 0;
}

/** Asks the driver once for both directions, so that both cards show the same. */
function askedOnce(
  pairs: Pairs,
  call: CallName,
  one: ReadCard,
  other: ReadCard,
  ...more: readonly number[]
): number | null {
  const [a, b] = one.card.id < other.card.id ? [one, other] : [other, one];
  const key = `${call} ${a.card.id} ${b.card.id}`;
  const known = pairs.get(key);
  if (known !== undefined) return known;
  const answer = a.device.number(call, b.device.handle, ...more);
  pairs.set(key, answer);
  return answer;
}
