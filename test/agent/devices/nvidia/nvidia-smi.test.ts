// NVIDIA's probe over a stand-in for nvidia-smi, where there is no library: what it prints is taken for what it means.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Card, DeviceProbe } from "../../../../src/agent/devices/device";
import { nvidiaProbe } from "../../../../src/agent/devices/nvidia/nvidia";
import { MIB } from "../../../../src/core/units";
import { matrix, SmiMachine, smiRow, smiUuid, type SmiRow } from "../../../support/devices/nvidia-smi";
import { cardsOf } from "../../../support/devices/rig";

const LIMITS = { first_ms: 30_000, later_ms: 30_000 };

let machine: SmiMachine;
let probe: DeviceProbe;
beforeAll(async () => {
  machine = await SmiMachine.make();
});
beforeEach(() => {
  machine.heal();
  probe = nvidiaProbe(machine.site.places({ nvidia_smi: machine.path }), LIMITS);
});
afterEach(() => probe.close());
afterAll(() => machine.site.close());

const seen = async (rows: readonly SmiRow[], without: readonly string[] = []): Promise<readonly Card[]> => {
  machine.cards(rows, without);
  return cardsOf(await probe.look());
};

describe("nvidia-smi", () => {
  test("a busy card is told with all that the tool says", async () => {
    machine.write("apps", `${smiUuid(0)}, 4711, 40960\n${smiUuid(0)}, 4712, [N/A]\n`);
    const busy = {
      "memory.used": 41_988,
      "utilization.gpu": 100,
      "temperature.gpu": 83,
      "power.draw": "350.12",
      "clocks.current.sm": 1_410,
      "clocks_throttle_reasons.active": "0x0000000000000024",
      "ecc.errors.uncorrected.volatile.total": 1,
      "ecc.mode.pending": "Disabled",
      "remapped_rows.pending": "Yes",
      compute_mode: "Exclusive_Process",
    };
    const [card] = await seen([smiRow(0, "CA", "L40S", busy)]);
    expect(card).toEqual({
      id: smiUuid(0),
      vendor: "nvidia",
      model: "NVIDIA L40S",
      memory_bytes: 46_068 * MIB,
      index: 0,
      visible: "0",
      pci: "0000:ca:00.0",
      numa_node: null,
      driver: "550.54.15",
      parent: null,
      split: false,
      links: [],
      compute_mode: "exclusive",
      ecc: true,
      files: ["/dev/nvidia0"],
      memory_used_bytes: 41_988 * MIB,
      utilization_percent: 100,
      temperature_celsius: 83,
      power_watts: 350.12,
      clock_mhz: 1_410,
      throttled: "thermal",
      ecc_errors: 1,
      processes: [
        { pid: 4_711, memory_bytes: 40_960 * MIB },
        { pid: 4_712, memory_bytes: null },
      ],
      warnings: ["ecc_pending", "remap_pending"],
      trouble: null,
    });
    machine.write("apps", "");
  });

  test("what is in brackets is not told", async () => {
    const [card] = await seen([smiRow(0, "01", "RTX 4090", { "power.draw": "[Unknown Error]" })]);
    expect(card).toMatchObject({ ecc: null, ecc_errors: null, split: false, power_watts: null, trouble: null });
  });

  test("links are read from the matrix, whatever stands beside the cards", async () => {
    const cells = [
      [" X ", "NV18", "PIX", "SYS"],
      ["NV18", " X ", "PHB", "NODE"],
      ["PIX", "PHB", " X ", "SYS"],
      ["SYS", "NODE", "SYS", " X "],
    ];
    machine.write("topo", matrix(["GPU0", "GPU1", "GPU2", "GPU3"], cells));
    const cards = await seen([0, 1, 2, 3].map((n) => smiRow(n, `1${n}`, "H100")));
    expect(cards.map(({ links }) => links.map(({ id, kind }) => `${id.at(-1)} ${kind}`))).toEqual([
      ["1 nvlink", "2 switch"],
      ["0 nvlink", "2 socket", "3 socket"],
      ["0 switch", "1 socket"],
      ["1 socket"],
    ]);
  });

  test("an old release is asked without the fields that it does not know", async () => {
    const unknown = ["remapped_rows.pending", "remapped_rows.failure", "mig.mode.current"];
    const [card] = await seen([smiRow(0, "01", "RTX 3090")], unknown);
    expect(card).toMatchObject({ id: smiUuid(0), temperature_celsius: 34, warnings: [], split: false });
  });

  test("parts of a card come from the list and the XML together", async () => {
    machine.write(
      "list",
      `GPU 0: NVIDIA A100-SXM4-80GB (UUID: ${smiUuid(0)})
  MIG 3g.40gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1g.10gb     Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 1: NVIDIA A100-SXM4-80GB (UUID: ${smiUuid(1)})
`,
    );
    const part = (index: number, gi: number, total: number, used: number): string => `
\t\t\t<mig_device>
\t\t\t\t<index>${index}</index>
\t\t\t\t<gpu_instance_id>${gi}</gpu_instance_id>
\t\t\t\t<compute_instance_id>0</compute_instance_id>
\t\t\t\t<fb_memory_usage>
\t\t\t\t\t<total>${total} MiB</total>
\t\t\t\t\t<reserved>0 MiB</reserved>
\t\t\t\t\t<used>${used} MiB</used>
\t\t\t\t</fb_memory_usage>
\t\t\t</mig_device>`;
    machine.write(
      "xml",
      `<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
\t<driver_version>550.54.15</driver_version>
\t<gpu id="00000000:07:00.0">
\t\t<product_name>NVIDIA A100-SXM4-80GB</product_name>
\t\t<mig_devices>${part(0, 2, 40_192, 37)}${part(1, 9, 9_728, 1_012)}
\t\t</mig_devices>
\t\t<uuid>${smiUuid(0)}</uuid>
\t\t<fb_memory_usage>
\t\t\t<total>81920 MiB</total>
\t\t</fb_memory_usage>
\t\t<processes>
\t\t\t<process_info>
\t\t\t\t<gpu_instance_id>9</gpu_instance_id>
\t\t\t\t<compute_instance_id>0</compute_instance_id>
\t\t\t\t<pid>3141</pid>
\t\t\t\t<type>C</type>
\t\t\t\t<used_memory>1000 MiB</used_memory>
\t\t\t</process_info>
\t\t</processes>
\t</gpu>
\t<gpu id="00000000:0F:00.0">
\t\t<mig_devices>
\t\t\tNone
\t\t</mig_devices>
\t\t<uuid>${smiUuid(1)}</uuid>
\t</gpu>
</nvidia_smi_log>
`,
    );
    machine.write(
      "topo",
      matrix(
        ["GPU0", "GPU1"],
        [
          [" X ", "NV12"],
          ["NV12", " X "],
        ],
      ),
    );
    const cards = await seen([smiRow(0, "07", "A100", { "mig.mode.current": "Enabled" }), smiRow(1, "0F", "A100")]);
    expect(cards.map(({ id, parent, split }) => [id, parent, split])).toEqual([
      [smiUuid(0), null, true],
      ["MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", smiUuid(0), false],
      ["MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb", smiUuid(0), false],
      [smiUuid(1), null, false],
    ]);
    expect(cards[2]).toMatchObject({
      model: "NVIDIA A100-SXM4-80GB MIG 1g.10gb",
      memory_bytes: 9_728 * MIB,
      memory_used_bytes: 1_012 * MIB,
      processes: [{ pid: 3_141, memory_bytes: 1_000 * MIB }],
    });
  });

  test("one lost card, for which the tool gives up on all, does not lose the others", async () => {
    const rows = [smiRow(0, "1A", "A100"), smiRow(1, "2B", "A100"), smiRow(2, "3C", "A100")];
    await seen(rows);
    machine.write(
      "lost",
      "Unable to determine the device handle for GPU0000:2B:00.0: GPU is lost.  Reboot the system to recover it\n",
    );
    machine.cards(rows.filter(({ index }) => index !== 1));
    const cards = cardsOf(await probe.look());
    expect(cards.map(({ id, index, trouble }) => [id, index, trouble])).toEqual([
      [smiUuid(0), 0, null],
      [smiUuid(1), 1, { is: "bus_lost", why: "it has fallen off the bus" }],
      [smiUuid(2), 2, null],
    ]);
  });

  test("so does one whose row says that it needs a reset", async () => {
    await seen([smiRow(0, "1A", "A100"), smiRow(1, "2B", "A100")]);
    const sick = "[GPU requires reset]";
    const [, card] = await seen([smiRow(0, "1A", "A100"), smiRow(1, "2B", "A100", { "memory.total": sick })]);
    expect(card).toMatchObject({
      id: smiUuid(1),
      trouble: { is: "needs_reset", why: "it needs a reset" },
      memory_bytes: 81_920 * MIB,
    });
  });

  test("a driver that does not run is told in the tool's words", async () => {
    machine.write(
      "failed",
      "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that …\n",
    );
    expect(await probe.look()).toEqual({
      is: "failed",
      why: expect.stringContaining("couldn't communicate with the NVIDIA driver"),
    });
  });
});
