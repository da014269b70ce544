// Cards as the kernel's graphics drivers show them, in the /sys and /proc of a made-up machine.

import type { Site } from "./rig";

export interface DrmCard {
  /** The number `N` of `cardN`. */
  readonly number: number;
  readonly pci: string;
  /** Bridges from the root of the bus to the card: `pci0000:00/0000:00:01.1`. */
  readonly below: string;
  readonly vendor: string;
  readonly device: string;
  readonly numa?: number;
  readonly driver?: string;
  /** Files in the card's own directory. */
  readonly files: Readonly<Record<string, string | number>>;
}

/**
 * Adds a card where the kernel shows it: on the bus, and among the graphics devices, with the links between the two.
 */
export function plug(site: Site, card: DrmCard): void {
  const { number, pci, below, vendor, device, numa = -1, files } = card;
  const dir = `sys/devices/${below}/${pci}`;
  const common = { vendor, device, class: "0x038000", numa_node: numa, uevent: `DRIVER=x\nPCI_SLOT_NAME=${pci}` };
  const own = Object.entries({ ...common, ...files }).map(([name, text]) => [`${dir}/${name}`, text] as const);
  site.put(Object.fromEntries(own));
  site.put({ [`${dir}/drm/card${number}/dev`]: `226:${number}`, [`${dir}/drm/renderD${128 + number}/dev`]: "226:128" });
  site.link(`sys/bus/pci/devices/${pci}`, dir);
  site.link(`sys/class/drm/card${number}`, `${dir}/drm/card${number}`);
  site.link(`${dir}/drm/card${number}/device`, dir);
  if (card.driver !== undefined) site.link(`${dir}/driver`, `sys/bus/pci/drivers/${card.driver}`);
  // Outputs of a card are listed beside it, and are no cards.
  site.put({ [`sys/class/drm/card${number}-DP-1/status`]: "disconnected" });
}

/** Adds a process that has a card open, with what the driver reports of its descriptor. */
export function holds(site: Site, pid: number, fd: number, file: string, info: Readonly<Record<string, string>>): void {
  site.link(`proc/${pid}/fd/${fd}`, file);
  const lines = Object.entries({ pos: "0", flags: "02100002", ...info }).map(([name, value]) => `${name}:\t${value}`);
  site.put({ [`proc/${pid}/fdinfo/${fd}`]: lines.join("\n") });
}
