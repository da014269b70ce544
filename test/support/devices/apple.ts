// Macs: a stand-in for system_profiler that prints what the real one prints.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Site, type Rig } from "./rig";

export interface Mac {
  readonly model: string;
  readonly cores: string;
  readonly uuid?: string;
}

/**
 * Returns what `system_profiler -json SPDisplaysDataType SPHardwareDataType` prints. A Mac with an Intel processor has
 * other graphics.
 */
export function profile(mac: Mac | "Intel"): string {
  const display = { _name: "Studio Display", _spdisplays_pixels: "5120 x 2880", spdisplays_online: "spdisplays_yes" };
  const graphics =
    mac === "Intel"
      ? [{ _name: "kHW_AMDRadeonPro5500MItem", spdisplays_vendor: "sppci_vendor_amd", sppci_model: "AMD Radeon Pro" }]
      : [
          {
            _name: mac.model,
            spdisplays_mtlgpufamilysupport: "spdisplays_metal3",
            spdisplays_ndrvs: [display],
            spdisplays_vendor: "sppci_vendor_Apple",
            sppci_bus: "spdisplays_builtin",
            sppci_cores: mac.cores,
            sppci_device_type: "spdisplays_gpu",
            sppci_model: mac.model,
          },
        ];
  const hardware = mac === "Intel" || mac.uuid === undefined ? {} : { platform_UUID: mac.uuid };
  return JSON.stringify({ SPDisplaysDataType: graphics, SPHardwareDataType: [hardware] }, null, 2);
}

const SCRIPT = `
dir=$(dirname "$0")
echo "$*" >> "$dir/asked"
[ -e "$dir/hang" ] && exec sleep 1000
cat "$dir/profile"`;

export class AppleMachine {
  readonly path: string;

  private constructor(readonly site: Site) {
    this.path = site.tool("system_profiler", SCRIPT);
  }

  static async make(): Promise<AppleMachine> {
    return new AppleMachine(await Site.make());
  }

  tells(text: string): void {
    rmSync(join(this.site.root, "tools", "hang"), { force: true });
    writeFileSync(join(this.site.root, "tools", "profile"), text);
  }

  hangs(): void {
    writeFileSync(join(this.site.root, "tools", "hang"), "");
  }
}

export async function appleRig(): Promise<Rig> {
  const machine = await AppleMachine.make();
  const mac: Mac = { model: "Apple M2 Ultra", cores: "76", uuid: "1DEAC0DE-0000-5111-8222-0123456789AB" };
  return {
    name: "system_profiler",
    vendor: "apple",
    places: machine.site.places({ system_profiler: machine.path }),
    named: true,
    remembers: true,
    cards: 1,
    fill: () => machine.tells(profile(mac)),
    hang: () => machine.hangs(),
    garble: () => machine.tells("Graphics/Displays:\n\n    Apple M2 Ultra:\n"),
    close: () => machine.site.close(),
  };
}
