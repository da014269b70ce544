// The grammars of quantities, as flags use them too: what is formatted is read back as the same number.

import { describe, expect, test } from "bun:test";
import { formatBytes, formatCpu, formatDuration, formatGpu } from "../../../src/core/format";
import { GIB, MIB } from "../../../src/core/units";
import { readGpu } from "../../../src/spec/grammar/gpu";
import type { Parsed } from "../../../src/spec/issue";
import { legalName, readName } from "../../../src/spec/grammar/names";
import { nearest } from "../../../src/spec/grammar/nearest";
import {
  readBackoff,
  readCpu,
  readDuration,
  readSignal,
  readSize,
  readTime,
  readTimeLimit,
} from "../../../src/spec/grammar/units";
import { diceOf } from "../../support/random";

const valueOf = <T>(reading: Parsed<T>): T | string =>
  reading.is === "parsed" ? reading.value : `refused: ${reading.message}`;

describe("quantities", () => {
  test("durations", () => {
    const cases: [string | number, number | string][] = [
      ["500ms", 500],
      ["30s", 30_000],
      ["5m", 300_000],
      ["12h", 43_200_000],
      ["7d", 604_800_000],
      ["1h30m", 5_400_000],
      ["1.5s", 1_500],
      [0, 0],
      ["0", 0],
      [30, "refused: 30 needs a unit"],
      ["", "refused: an empty text is not a duration"],
      ["1h 30m", 'refused: "1h 30m" is not a duration'],
      ["5M", 'refused: "5M" is not a duration'],
    ];
    for (const [text, value] of cases) expect(valueOf(readDuration(text)), String(text)).toBe(value);
  });

  test("times as Slurm writes them", () => {
    const cases: [string, number | string][] = [
      ["1-00:00:00", 86_400_000],
      ["12:00:00", 43_200_000],
      ["1-12", 129_600_000],
      ["0-00:30", 1_800_000],
      ["90m", 5_400_000],
      ["12:30", "refused: 12:30 could be minutes or hours"],
      ["100:00:00", 360_000_000],
    ];
    for (const [text, value] of cases) expect(valueOf(readTime(text)), text).toBe(value);
  });

  test("a time limit of zero is none, as in Slurm", () => {
    for (const none of [0, "0", "0:00:00", "0s", "unlimited", "UNLIMITED"])
      expect(valueOf(readTimeLimit(none))).toBeNull();
    expect(valueOf(readTimeLimit("12h"))).toBe(43_200_000);
    expect(valueOf(readTimeLimit("12:30"))).toContain("could be minutes or hours");
  });

  test("sizes", () => {
    const cases: [string | number, number | string][] = [
      ["512MiB", 512 * MIB],
      ["1GiB", GIB],
      ["24GB", 24 * GIB],
      ["32G", 32 * GIB],
      ["32Gi", 32 * GIB],
      ["1.5g", 1.5 * GIB],
      ["100b", 100],
      ["1 TiB", 1024 * GIB],
      [0, 0],
      [512, "refused: 512 needs a unit"],
      ["1GiBB", 'refused: "1GiBB" is not a size'],
    ];
    for (const [text, value] of cases) expect(valueOf(readSize(text)), String(text)).toBe(value);
  });

  test("cores", () => {
    const cases: [string | number, number | string][] = [
      [2, 2_000],
      [0.5, 500],
      ["500m", 500],
      ["1.25", 1_250],
      ["0.5m", 1],
      [-1, "refused: -1 is not a number of cores"],
    ];
    for (const [text, value] of cases) expect(valueOf(readCpu(text)), String(text)).toBe(value);
  });

  test("signals and back-offs", () => {
    expect(valueOf(readSignal("SIGTERM"))).toBe("TERM");
    expect(valueOf(readSignal("usr2"))).toBe("USR2");
    expect(valueOf(readBackoff("2s..1m"))).toEqual({ min_ms: 2_000, max_ms: 60_000 });
    expect(valueOf(readBackoff("..500ms"))).toEqual({ min_ms: 500, max_ms: 500 });
  });

  test("what is formatted is read back", () => {
    const dice = diceOf(7);
    for (let i = 0; i < 2_000; i++) {
      const ms = dice.below(10 ** (1 + dice.below(10)));
      expect(valueOf(readDuration(formatDuration(ms)))).toBe(ms);
      const milli = 1 + dice.below(200_000);
      expect(valueOf(readCpu(formatCpu(milli)))).toBe(milli);
      const mib = (1 + dice.below(9_999)) * MIB;
      expect(valueOf(readSize(formatBytes(mib)))).toBe(mib);
      const gpu = {
        count: 1 + dice.below(64),
        vendor: dice.pick([null, "nvidia", "amd"]),
        models: dice.pick([[], ["A100"], ["A100", "rtx 4090"], ["1g.10gb"]]),
        memory_min_bytes: dice.pick([null, 8 * GIB, 24 * GIB]),
        memory_max_bytes: dice.pick([null, 24 * GIB, 80 * GIB]),
      };
      expect(valueOf(readGpu(formatGpu(gpu)))).toEqual(gpu);
    }
  });
});

describe("names", () => {
  test("follow one grammar", () => {
    for (const name of ["a", "a1", "web-2", "x".repeat(40)]) expect(readName(name).is === "parsed", name).toBe(true);
    for (const name of ["", "A", "1a", "-a", "a-", "a_b", "a.b", "x".repeat(41), "ä"])
      expect(readName(name).is === "parsed", name).toBe(false);
  });

  test("have a legal neighbour where anything of them can stay", () => {
    const cases: [string, string | null][] = [
      ["My_App 2", "my-app-2"],
      ["Train.py", "train-py"],
      ["ünï", "uni"],
      ["123", null],
      ["", null],
      ["--x--", "x"],
      ["9lives", "lives"],
      ["a".repeat(60), "a".repeat(40)],
      [`${"a".repeat(39)}-b`, "a".repeat(39)],
    ];
    for (const [text, name] of cases) expect(legalName(text), text).toBe(name);
  });

  test("that are nearly right find what was meant", () => {
    const keys = ["replicas", "resources", "restart", "run", "ports", "place"];
    const cases: [string, string | null][] = [
      ["replica", "replicas"],
      ["resorces", "resources"],
      ["rnu", "run"],
      ["Ports", "ports"],
      ["pots", "ports"],
      ["xyzzy", null],
      ["r", null],
      ["", null],
      ["x".repeat(10_000), null],
    ];
    for (const [word, meant] of cases) expect(nearest(word, keys), word.slice(0, 20)).toBe(meant);
  });
});
