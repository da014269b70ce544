// Machines with Intel cards: what i915 and xe show in /sys, and a stand-in for xpu-smi that prints what the real one
// prints.

import { holds, plug } from "./drm";
import { Site, type Rig } from "./rig";

const GIB = 2 ** 30;
const MIB = 2 ** 20;

export class IntelMachine {
  private constructor(readonly site: Site) {}

  static async make(): Promise<IntelMachine> {
    const machine = new IntelMachine(await Site.make());
    machine.site.put({
      "etc/machine-id": "0123456789abcdef0123456789abcdef",
      "proc/sys/kernel/osrelease": "6.14.0-15-generic",
      // The list of PCI devices, in which other vendors have products of the same number.
      "usr/share/misc/pci.ids": [
        "# List of PCI ID's",
        "8085  Somebody else",
        "\t56a0  Not this one [Toaster]",
        "8086  Intel Corporation",
        "\t0bda  Ponte Vecchio XT (1 Tile) [Data Center GPU Max 1100]",
        "# a remark",
        "\t56a0  DG2 [Arc A770]",
        "\t\t8086 1020  A board of it [Arc A770 Limited]",
        "\ta780  Raptor Lake-S GT1 [UHD Graphics 770]",
        "8087  Intel Corp.",
        "\te20b  Nor this",
      ].join("\n"),
    });
    return machine;
  }

  /** Adds a card of the newer driver, which reports memory by tiles. */
  xe(number: number, bus: string, below: string, device: string, tiles: readonly number[], numa = -1): void {
    const memory = tiles.map((gib, n) => [`tile${n}/physical_vram_size_bytes`, gib * GIB] as const);
    plug(this.site, {
      number,
      pci: `0000:${bus}:00.0`,
      below,
      vendor: "0x8086",
      device,
      numa,
      driver: "xe",
      files: {
        ...Object.fromEntries(memory),
        "tile0/gt0/freq0/act_freq": 300,
        "tile0/gt0/freq0/throttle/reason_thermal": 0,
        "tile0/gt0/freq0/throttle/reason_pl1": 0,
        "tile0/gt0/gtidle/idle_residency_ms": 1_000_000,
        "hwmon/hwmon5/energy1_input": 500_000_000,
        "hwmon/hwmon5/temp2_label": "pkg",
        "hwmon/hwmon5/temp2_input": 44_000,
        "hwmon/hwmon5/temp3_label": "vram",
        "hwmon/hwmon5/temp3_input": 52_000,
      },
    });
  }

  /** Adds a card of the older driver, which reports memory only in Intel's own releases. */
  i915(number: number, bus: string, below: string, device: string, memory: number | null, numa = -1): void {
    plug(this.site, {
      number,
      pci: `0000:${bus}.0`,
      below,
      vendor: "0x8086",
      device,
      numa,
      driver: "i915",
      files: { "hwmon/hwmon3/energy1_input": 900_000_000 },
    });
    const card = `sys/class/drm/card${number}`;
    this.site.put({ [`${card}/gt/gt0/rps_act_freq_mhz`]: 1_550, [`${card}/gt/gt0/throttle_reason_pl1`]: 1 });
    if (memory !== null) {
      this.site.put({ [`${card}/lmem_total_bytes`]: memory, [`${card}/lmem_avail_bytes`]: memory - 3 * GIB });
    }
  }

  uses(pid: number, fd: number, number: number, bus: string, kind: string, mib: number): void {
    holds(this.site, pid, fd, `/dev/dri/renderD${128 + number}`, {
      "drm-driver": "xe",
      "drm-client-id": String(fd),
      "drm-pdev": `0000:${bus}:00.0`,
      [`drm-total-${kind}0`]: `${mib + 8} MiB`,
      [`drm-resident-${kind}0`]: `${mib} MiB`,
      "drm-resident-system": "64 KiB",
    });
  }

  close(): Promise<void> {
    return this.site.close();
  }
}

/**
 * Adds a card for data centres, two gaming cards, and the graphics of the processor in front of them all on the bus.
 */
export function mixedIntel(machine: IntelMachine): void {
  machine.i915(0, "00:02", "pci0000:00", "0xa780", null);
  machine.xe(2, "29", "pci0000:26/0000:26:01.0/0000:27:00.0/0000:28:01.0", "0x0bda", [48], 0);
  machine.i915(3, "03:00", "pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:01.0", "0x56a0", 16 * GIB, 0);
  machine.xe(1, "0a", "pci0000:00/0000:00:06.0/0000:08:00.0/0000:09:01.0", "0xe20b", [12], 0);
  machine.uses(4_711, 8, 2, "29", "vram", 20_480);
  machine.uses(4_711, 9, 2, "29", "vram", 512);
}

export interface Xpu {
  readonly id: number;
  readonly name: string;
  readonly bus: string;
  readonly memory: number;
  /** The figures that `stats` prints: of the card, and of each of its tiles. */
  readonly whole?: Readonly<Record<string, number>>;
  readonly tiles?: readonly Readonly<Record<string, number>>[];
}

const metrics = (values: Readonly<Record<string, number>>) =>
  Object.entries(values).map(([name, value]) => ({ metrics_type: `XPUM_STATS_${name}`, value }));

/** Makes a stand-in for xpu-smi. `processes` are rows of `ps`; `matrix` is what `topology -m` prints. */
export function xpuSmi(
  cards: readonly Xpu[],
  processes: readonly (readonly [card: number, pid: number, name: string, kilobytes: number])[] = [],
  matrix = "",
): string {
  const listed = (one: Xpu) => ({
    device_id: one.id,
    device_name: one.name,
    device_type: "GPU",
    pci_bdf_address: `0000:${one.bus}:00.0`,
    pci_device_id: "0xbda",
    uuid: "00000000-0000-0029-0000-002f0bda8086",
    vendor_name: "Intel(R) Corporation",
  });
  const print = (value: unknown): string => `cat <<'END'\n${JSON.stringify(value, null, 4)}\nEND`;
  const details = cards.map((one) => {
    const more = { memory_physical_size_byte: String(one.memory), memory_ecc_state: "enabled", number_of_tiles: "1" };
    return `"discovery -d ${one.id} -j") ${print({ ...listed(one), ...more })}\n;;`;
  });
  const stats = cards.map((one) => {
    const tiles = (one.tiles ?? []).map((tile, tile_id) => ({ data_list: metrics(tile), tile_id }));
    const told = { device_id: one.id, device_level: metrics(one.whole ?? {}), tile_level: tiles };
    return `"stats -d ${one.id} -j") ${print(told)}\n;;`;
  });
  const rows = processes.map(([device_id, process_id, process_name, mem_size]) => ({
    device_id,
    mem_size,
    process_id,
    process_name,
    shared_mem_size: 0,
  }));
  return `
echo "$*" >> "$(dirname "$0")/asked"
case "$*" in
"discovery -j") ${print({ device_list: cards.map(listed) })}
;;
"topology -m") cat <<'END'
${matrix}
END
;;
"ps -j") ${print({ device_util_by_proc_list: rows })}
;;
${details.join("\n")}
${stats.join("\n")}
*) echo "Error: no such thing" >&2; exit 1 ;;
esac`;
}

export async function intelRig(): Promise<Rig> {
  const machine = await IntelMachine.make();
  const clock = "sys/bus/pci/devices/0000:29:00.0/tile0/gt0/freq0/act_freq";
  return {
    name: "i915 and xe",
    vendor: "intel",
    places: machine.site.places(),
    named: false,
    remembers: false,
    cards: 3,
    fill() {
      machine.site.drop(clock);
      mixedIntel(machine);
    },
    hang: () => machine.site.pipe(clock),
    garble() {
      machine.site.put({
        "sys/class/drm/card3/lmem_total_bytes": "much",
        "sys/bus/pci/devices/0000:29:00.0/tile0/physical_vram_size_bytes": "\u0000\u0001",
        "sys/bus/pci/devices/0000:0a:00.0/tile0/physical_vram_size_bytes": "",
      });
    },
    close: () => machine.close(),
  };
}

export const SIZES = { GIB, MIB } as const;
