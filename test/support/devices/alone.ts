// Machines whose /sys shows no card while a person has named AMD's or Intel's tool, as in a container. Stand-ins print
// what the tools print.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { xpuSmi } from "./intel";
import { Site, type Rig } from "./rig";

const MIB = 2 ** 20;

/** Returns what `rocm-smi --json` prints of a card when it is asked for everything. */
export const rocmCard = (bus: string, series: string, unique: string, memory: number, over: object = {}) => ({
  "Device Name": series,
  "Device ID": "0x74a1",
  "Device Rev": "0x00",
  "Unique ID": unique,
  "Temperature (Sensor edge) (C)": "N/A",
  "Temperature (Sensor junction) (C)": "45.0",
  "Temperature (Sensor memory) (C)": "38.0",
  "Current Socket Graphics Package Power (W)": "140.0",
  "GPU use (%)": "0",
  "PCI Bus": `0000:${bus.toUpperCase()}:00.0`,
  "VRAM Total Memory (B)": String(memory),
  "VRAM Total Used Memory (B)": String(283 * MIB),
  "Card Series": series,
  "Card Model": "0x74a1",
  "Card Vendor": "Advanced Micro Devices, Inc. [AMD/ATI]",
  "Card SKU": "M3000100",
  ...over,
});

export const rocmText = (cards: readonly object[], system: object = {}): string =>
  JSON.stringify({
    ...Object.fromEntries(cards.map((one, n) => [`card${n}`, one])),
    system: { "Driver version": "6.12.12", ...system },
  });

/** Makes a tool that prints and hangs as the files beside it say. */
function tool(site: Site, name: string, script: string): string {
  const lines = [
    `at="$(dirname "$0")"`,
    `[ -e "$at/hang" ] && exec sleep 1000`,
    `[ -e "$at/garble" ] && { echo '{"card0": [[3, {'; exit 0; }`,
    script,
  ];
  return site.tool(name, lines.join("\n"));
}

function rig(site: Site, of: Pick<Rig, "name" | "vendor" | "places" | "cards">): Rig {
  const say = (word: string) => writeFileSync(join(site.root, "tools", word), "");
  return {
    ...of,
    named: true,
    remembers: false,
    fill: () => ["hang", "garble"].forEach((word) => rmSync(join(site.root, "tools", word), { force: true })),
    hang: () => say("hang"),
    garble: () => say("garble"),
    close: () => site.close(),
  };
}

export async function rocmRig(): Promise<Rig> {
  const site = await Site.make();
  const cards = [
    rocmCard("65", "AMD Instinct MI300X", "0x9246a1b2c3d4e5f6", 196_592 * MIB),
    rocmCard("05", "AMD Instinct MI300X", "0x1146a1b2c3d4e5f6", 196_592 * MIB),
    rocmCard("29", "AMD Instinct MI210", "0x1ce2d0b26ac0a1f1", 65_520 * MIB),
  ];
  const path = tool(site, "rocm-smi", `cat <<'END'\n${rocmText(cards)}\nEND`);
  return rig(site, { name: "rocm-smi", vendor: "amd", places: site.places({ rocm_smi: path }), cards: 3 });
}

export async function xpuRig(): Promise<Rig> {
  const site = await Site.make();
  const script = xpuSmi([
    { id: 0, name: "Intel(R) Data Center GPU Max 1100", bus: "29", memory: 51_522_830_336 },
    { id: 1, name: "Intel(R) Arc(TM) A770 Graphics", bus: "03", memory: 16_225_243_136 },
  ]);
  const path = tool(site, "xpu-smi", script);
  return rig(site, { name: "xpu-smi", vendor: "intel", places: site.places({ xpu_smi: path }), cards: 2 });
}
