// Machines with AMD cards: what amdgpu and its compute driver show in /sys, and stand-ins for amd-smi and rocm-smi that
// print what the real tools print.

import { holds, plug } from "./drm";
import { Site, type Rig } from "./rig";

const GIB = 2 ** 30;
const MIB = 2 ** 20;

interface AmdModel {
  readonly device: string;
  readonly revision: string;
  readonly memory: number;
  readonly simds: number;
  readonly files: Readonly<Record<string, string | number>>;
}

const sensors = (over: Readonly<Record<string, string | number>>) =>
  Object.fromEntries(Object.entries({ name: "amdgpu", ...over }).map(([name, text]) => [`hwmon/hwmon4/${name}`, text]));

/** Models, as their drivers show them. */
export const AMD_MODELS = {
  MI210: {
    device: "0x740f",
    revision: "0x02",
    memory: 65_520 * MIB,
    simds: 416,
    files: {
      product_name: "",
      "ras/umc_err_count": "ue: 0\nce: 0",
      ...sensors({
        temp1_label: "edge",
        temp1_input: 36_000,
        temp2_label: "junction",
        temp2_input: 39_000,
        power1_average: 41_000_000,
        freq1_input: 800_000_000,
      }),
    },
  },
  MI300X: {
    device: "0x74a1",
    revision: "0x00",
    memory: 196_592 * MIB,
    simds: 1_216,
    files: {
      product_name: "AMD Instinct MI300X OAM",
      "ras/umc_err_count": "ue: 3\nce: 12",
      ...sensors({
        temp2_label: "junction",
        temp2_input: 41_000,
        temp3_label: "mem",
        temp3_input: 33_000,
        power1_input: 133_000_000,
        freq1_input: 131_000_000,
      }),
    },
  },
  "RX 7900 XTX": {
    device: "0x744c",
    revision: "0xc8",
    memory: 24_560 * MIB,
    simds: 192,
    files: {
      ...sensors({
        temp1_label: "edge",
        temp1_input: 51_000,
        temp2_label: "junction",
        temp2_input: 63_000,
        power1_average: 142_000_000,
        freq1_input: 2_304_000_000,
      }),
    },
  },
  /** Graphics within a processor: they compute, and have hardly any memory of their own. */
  Raphael: { device: "0x164e", revision: "0xc1", memory: 512 * MIB, simds: 4, files: {} },
} as const satisfies Readonly<Record<string, AmdModel>>;

export interface AmdCard {
  readonly number: number;
  readonly bus: string;
  readonly below: string;
  readonly model: keyof typeof AMD_MODELS;
  readonly unique?: string;
  readonly numa?: number;
  readonly over?: Readonly<Record<string, string | number>>;
}

export class AmdMachine {
  private constructor(readonly site: Site) {}

  static async make(): Promise<AmdMachine> {
    const machine = new AmdMachine(await Site.make());
    const list =
      "# List of AMDGPU IDs\n#\n1.0.0\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n744C,\tCC,\tAMD Radeon RX 7900 XT";
    machine.site.put({ "usr/share/libdrm/amdgpu.ids": list, "sys/module/amdgpu/version": "6.8.5" });
    return machine;
  }

  card({ number, bus, below, model, unique, numa = -1, over = {} }: AmdCard): void {
    const { device, revision, memory, files } = AMD_MODELS[model];
    plug(this.site, {
      number,
      pci: `0000:${bus}:00.0`,
      below,
      vendor: "0x1002",
      device,
      numa,
      files: {
        revision,
        mem_info_vram_total: memory,
        mem_info_vram_used: 12 * MIB,
        gpu_busy_percent: 0,
        ...(unique === undefined ? {} : { unique_id: unique }),
        ...files,
        ...over,
      },
    });
  }

  /**
   * Adds a unit of the compute driver: a processor if it has no SIMDs, else a card. `xgmi` lists the units linked to
   * it.
   */
  node(number: number, location: number, simds: number, render: number, xgmi: readonly number[] = []): void {
    const dir = `sys/class/kfd/kfd/topology/nodes/${number}`;
    const facts = {
      cpu_cores_count: simds === 0 ? 32 : 0,
      simd_count: simds,
      vendor_id: simds === 0 ? 0 : 4_098,
      location_id: location << 8,
      domain: 0,
      drm_render_minor: render,
    };
    const lines = (of: Readonly<Record<string, number>>): string =>
      Object.entries(of)
        .map(([name, value]) => `${name} ${value}`)
        .join("\n");
    this.site.put({ [`${dir}/properties`]: lines(facts), [`${dir}/gpu_id`]: simds === 0 ? 0 : 1_000 + number });
    // Over the bus every unit reaches every other.
    const bus = [0, 1, 2, 3].filter((to) => to !== number && !xgmi.includes(to));
    const links = [...bus.map((node_to) => ({ type: 2, node_to })), ...xgmi.map((node_to) => ({ type: 11, node_to }))];
    for (const [n, link] of links.entries()) {
      this.site.put({ [`${dir}/io_links/${n}/properties`]: lines({ ...link, node_from: number, weight: 15 }) });
    }
  }

  /** Adds a process that computes, and the memory of each unit that it uses. */
  computes(pid: number, memory: Readonly<Record<number, number>>): void {
    for (const [node, bytes] of Object.entries(memory)) {
      this.site.put({ [`sys/class/kfd/kfd/proc/${pid}/vram_${1_000 + Number(node)}`]: bytes });
    }
  }

  /** Adds a process that draws. */
  draws(pid: number, number: number, bus: string, kib: number): void {
    const info = { "drm-driver": "amdgpu", "drm-client-id": "31", "drm-pdev": `0000:${bus}:00.0` };
    for (const fd of [11, 12]) {
      holds(this.site, pid, fd, `/dev/dri/renderD${128 + number}`, { ...info, "drm-memory-vram": `${kib} KiB` });
    }
  }

  close(): Promise<void> {
    return this.site.close();
  }
}

/** Adds two linked MI210 on one socket, an MI300X on the other, a gaming card, and a processor's graphics. */
export function mixed(machine: AmdMachine): void {
  machine.card({
    number: 3,
    bus: "83",
    below: "pci0000:80/0000:80:01.1/0000:81:00.0/0000:82:00.0",
    model: "MI300X",
    numa: 1,
  });
  machine.card({
    number: 0,
    bus: "29",
    below: "pci0000:20/0000:20:01.1/0000:21:00.0/0000:22:00.0",
    model: "MI210",
    unique: "1ce2d0b26ac0a1f1",
    numa: 0,
  });
  machine.card({
    number: 1,
    bus: "2c",
    below: "pci0000:20/0000:20:03.1/0000:2a:00.0/0000:2b:00.0",
    model: "MI210",
    unique: "e475645fe0200397",
    numa: 0,
  });
  machine.card({ number: 2, bus: "03", below: "pci0000:00/0000:00:01.1/0000:01:00.0", model: "RX 7900 XTX", numa: 0 });
  machine.card({ number: 4, bus: "0d", below: "pci0000:00/0000:00:08.1", model: "Raphael", numa: 0 });
  machine.node(0, 0, 0, 0);
  machine.node(1, 0x29, 416, 128, [2]);
  machine.node(2, 0x2c, 416, 129, [1]);
  machine.node(3, 0x03, 192, 130);
  machine.node(4, 0x0d, 4, 132);
  machine.node(5, 0x83, 1_216, 131);
  machine.computes(4_711, { 1: 8 * GIB, 2: 0, 3: 0, 5: 0 });
  machine.draws(1_234, 2, "03", 262_144);
}

const smi = (entries: readonly (readonly [pci: string, name: string])[]) =>
  entries.map(([bdf, market_name], gpu) => ({
    gpu,
    asic: { market_name, vendor_id: "0x1002", vendor_name: "Advanced Micro Devices Inc. [AMD/ATI]" },
    bus: { bdf, max_pcie_width: 16 },
  }));

/** Returns what amd-smi prints, in releases from 2023 (a list) or from 2025 (within an object, behind warnings). */
export function amdSmi(release: "old" | "new", entries: readonly (readonly [pci: string, name: string])[]): string {
  const json = JSON.stringify(release === "old" ? smi(entries) : { gpu_data: smi(entries) }, null, 4);
  const warning =
    "/usr/lib/python3/amdsmi_interface.py:3569: SyntaxWarning: 'return' in a 'finally' block\n  return x\n";
  return `cat <<'END'\n${release === "old" ? "" : warning}${json}\nEND`;
}

export function rocmSmi(
  series: "Card Series" | "Card series",
  entries: readonly (readonly [string, string])[],
): string {
  const cards = entries.map(([pci, name], n) => {
    const facts = { "PCI Bus": pci.toUpperCase(), [series]: name, "Card Model": "0x74a1", "Card SKU": "M3000100" };
    return [`card${n}`, facts] as const;
  });
  return `cat <<'END'\n${JSON.stringify({ ...Object.fromEntries(cards), system: { "Driver version": "6.8.5" } })}\nEND`;
}

export async function amdRig(): Promise<Rig> {
  const machine = await AmdMachine.make();
  const busy = "sys/bus/pci/devices/0000:29:00.0/gpu_busy_percent";
  const total = "sys/bus/pci/devices/0000:29:00.0/mem_info_vram_total";
  return {
    name: "amdgpu",
    vendor: "amd",
    places: machine.site.places(),
    named: false,
    remembers: false,
    cards: 4,
    fill() {
      machine.site.drop(busy);
      mixed(machine);
    },
    hang: () => machine.site.pipe(busy),
    garble() {
      for (const bus of ["29", "2c", "03", "83"]) {
        machine.site.put({ [total.replace("29", bus)]: "many", [busy.replace("29", bus)]: "\u0000\u0001" });
      }
    },
    close: () => machine.close(),
  };
}
