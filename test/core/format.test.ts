// Formatted numbers are what people compare and copy back into a spec, so their exact text counts.

import { describe, expect, test } from "bun:test";
import {
  formatAge,
  formatBytes,
  formatCpu,
  formatDuration,
  formatGpu,
  formatLabelCheck,
  formatProgress,
  formatRest,
} from "../../src/core/format";
import { GIB, MIB } from "../../src/core/units";

describe("formats", () => {
  test("bytes are exact where a short number is exact, else rounded", () => {
    const cases: [number, string][] = [
      [0, "0B"],
      [1, "1B"],
      [1023, "1023B"],
      [1024, "1KiB"],
      [1536, "1.5KiB"],
      [512 * MIB, "512MiB"],
      [GIB, "1GiB"],
      [1.5 * GIB, "1.5GiB"],
      [1025 * MIB, "1025MiB"],
      [33_512_345_601, "31.2GiB"],
      [2048 * GIB, "2TiB"],
      [-GIB, "-1GiB"],
      [0.1 * GIB, "102.4MiB"],
    ];
    for (const [bytes, text] of cases) expect(formatBytes(bytes)).toBe(text);
  });

  test("cores below one are thousandths", () => {
    const cases: [number, string][] = [
      [0, "0"],
      [100, "100m"],
      [1000, "1"],
      [1500, "1.5"],
      [64_000, "64"],
      [2250, "2.25"],
    ];
    for (const [milli, text] of cases) expect(formatCpu(milli)).toBe(text);
  });

  test("ages show their two largest units", () => {
    const cases: [number, string][] = [
      [-5, "0s"],
      [999, "0s"],
      [45_000, "45s"],
      [300_000, "5m"],
      [7_800_000, "2h10m"],
      [259_205_000, "3d"],
    ];
    for (const [ms, text] of cases) expect(formatAge(ms)).toBe(text);
  });

  test("durations are exact", () => {
    const cases: [number, string][] = [
      [0, "0s"],
      [500, "500ms"],
      [1500, "1.5s"],
      [30_000, "30s"],
      [5_400_000, "1h30m"],
      [604_800_000, "7d"],
    ];
    for (const [ms, text] of cases) expect(formatDuration(ms)).toBe(text);
  });

  test("GPU requests are written in the grammar of the spec", () => {
    const any = { count: 1, models: [], vendor: null, memory_min_bytes: null, memory_max_bytes: null };
    expect(formatGpu(any)).toBe("1");
    expect(formatGpu({ ...any, count: 2, memory_min_bytes: 24 * GIB, memory_max_bytes: 40 * GIB })).toBe(
      "24GB..40GB:2",
    );
    expect(formatGpu({ ...any, models: ["A100", "H100"], memory_min_bytes: 80 * GIB })).toBe("A100,H100:80GB");
    expect(formatGpu({ ...any, vendor: "amd", models: ["MI300X"] })).toBe("amd:MI300X");
    expect(formatGpu({ ...any, memory_max_bytes: 16 * GIB })).toBe("..16GB");
    expect(formatGpu({ ...any, share_bytes: 4 * GIB })).toBe("{ share: 4GB }");
    expect(
      formatGpu({
        ...any,
        count: 2,
        vendor: "amd",
        models: ["MI300X"],
        memory_min_bytes: 64 * GIB,
        linked: "demanded",
      }),
    ).toBe("{ count: 2, vendor: amd, model: [MI300X], memory: 64GB, linked: true }");
    expect(formatGpu({ ...any, count: 2, linked: "ignored" })).toBe("{ count: 2, linked: false }");
  });

  test("of an array all that is over is done, however it ended", () => {
    const sums = { total: 100, succeeded: 16, failed: 3, stopped: 4, unknown: 2 };
    expect(formatProgress(sums)).toBe("25/100 done, 3 failed, 2 unknown, 4 stopped");
    expect(formatProgress({ ...sums, failed: 0, stopped: 0, unknown: 0 })).toBe("16/100 done");
  });
  test("what is left is in whole seconds, rounded up, and never less than nothing", () => {
    expect([1, 8_000, 8_001, 90_000, 0, -5_000].map(formatRest)).toEqual(["1s", "8s", "9s", "1m30s", "0s", "0s"]);
  });
  test("conditions on labels are written as a spec file takes them", () => {
    const written = (["in", "not_in"] as const).flatMap((op) =>
      [["a"], ["a", "b"]].map((values) => formatLabelCheck({ key: "zone", op, values })),
    );
    expect(written).toEqual(["zone=a", "zone in (a, b)", "zone!=a", "zone notin (a, b)"]);
    const bare = (["exists", "absent"] as const).map((op) => formatLabelCheck({ key: "zone", op, values: [] }));
    expect(bare).toEqual(["zone", "!zone"]);
  });
});
