// A node with cards, from its driver's library to what people see: all of them are told as they are, and a library that
// hangs leaves the last values, marked so, and everything else as it was.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { GpuView } from "../../src/wire/api/devices";
import { Cluster, QUICK } from "../support/cluster";
import { card, compiler, eightH100, GPU, LIBRARY_LINE, NvmlMachine, without } from "../support/devices/nvml";
import { waitUntil } from "../support/wait";

describe.if(!("why" in compiler))(`a node with cards${without}`, () => {
  let machine: NvmlMachine;
  let cluster: Cluster;
  beforeAll(async () => {
    machine = await NvmlMachine.make();
    machine.tell(eightH100());
    const env = { ORCH_NVML: machine.library };
    cluster = await Cluster.start({ name: "detection", settings: QUICK, agents: ["n1"], env });
  });
  afterAll(async () => {
    expect(await cluster.close()).toEqual([]);
    await machine.close();
  });

  const gpus = async (): Promise<readonly GpuView[]> => (await cluster.json<{ devices: GpuView[] }>("gpus")).devices;
  /** Whether what is shown of all eight is as of now, or is not; `null`: some of them are and some are not. */
  const stale = async (): Promise<boolean | null> => {
    const told = (await gpus()).map(({ reading }) => reading?.stale);
    return told.length === 8 && told.every((one) => one === told[0]) ? (told[0] ?? null) : null;
  };

  test("shows them in the order of the bus, with their links and what they show", async () => {
    const shown = await waitUntil("eight cards that were read", async () => {
      const all = await gpus();
      return all.length === 8 && all.every(({ reading }) => reading !== null) ? all : null;
    });
    expect(shown.map(({ index, pci }) => [index, pci])).toEqual(
      ["0f", "1b", "43", "52", "61", "9d", "c3", "d1"].map((bus, n) => [n, `0000:${bus}:00.0`]),
    );
    expect(shown.every(({ links }) => links.filter(({ kind }) => kind === "nvlink").length === 7)).toBe(true);
    expect(shown[0]).toMatchObject({ id: GPU(7), model: "NVIDIA H100 80GB HBM3", driver: "550.54.15" });
    expect(shown[0]?.reading).toMatchObject({ temperature_celsius: 34, power_watts: 70.5, stale: false });
  });

  test("a library that hangs leaves the last values, and the node at work", async () => {
    machine.also(["hang", { call: "nvmlDeviceGetUtilizationRates", card: 3 }]);
    await waitUntil("readings to be marked", async () => (await stale()) === true, 60_000);
    const kept = await gpus();
    expect(kept).toHaveLength(8);
    expect(kept.map(({ reading }) => reading?.temperature_celsius)).toEqual(kept.map(() => 34));
    expect((await cluster.nodes()).map(({ state }) => state)).toEqual(["ready"]);
    const ran = await cluster.orch("run", "--cpu", "20m", "--memory", "16MiB", "--", "echo", "still here");
    expect([ran.code, ran.out]).toEqual([0, "still here\n"]);
    machine.tell([LIBRARY_LINE, ...eightH100().slice(1)]);
    await waitUntil("readings of now", async () => (await stale()) === false, 60_000);
  }, 150_000);

  test("a card that the driver no longer counts is missing, and the others close up", async () => {
    machine.tell([LIBRARY_LINE, card(0, 0x1b, "H100"), card(7, 0x0f, "H100")]);
    const shown = await waitUntil(
      "six to be missing",
      async () => {
        const all = await gpus();
        return all.filter(({ state }) => state === "missing").length === 6 ? all : null;
      },
      30_000,
    );
    const left = shown.filter(({ state }) => state !== "missing");
    expect(left.map(({ id, index }) => [id, index])).toEqual([
      [GPU(7), 0],
      [GPU(0), 1],
    ]);
  }, 60_000);
});
