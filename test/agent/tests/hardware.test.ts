// What is built in, on this very machine: the same results as a program in C gives, real memory, a real disk, and one
// that is full or gone.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crunch, DIGEST } from "../../../src/agent/tests/crunch";
import { findingsOf } from "../../../src/agent/tests/devices";
import { RESULTS } from "../../../src/wire/node-tests";
import { failuresOf, warningsOf } from "../../../src/agent/tests/filesystem";
import { cpuFinding, diskFindings, memoryFinding } from "../../../src/agent/tests/hardware";
import { tryMemory, type CpuTrial } from "../../../src/agent/tests/self-test";
import { PLAIN_DEVICE, type Device } from "../../../src/core/model/device";
import { GIB, MIB } from "../../../src/core/units";
import { Answerer } from "../../../src/os/process/answerer";
import { tryDisk } from "../../../src/os/files/disk-trial";
import { lookAtFileSystem, mountOf, type FileSystem } from "../../../src/os/files/filesystem";
import { allowedCpus } from "../../../src/os/proc";
import { selfCommand } from "../../../src/os/self";

const dir = mkdtempSync(join(tmpdir(), "orch-hardware-"));
afterAll(() => rmSync(dir, { recursive: true }));

/** The same work as crunch.ts, as another language on another compiler does it. */
const REFERENCE = String.raw`
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <math.h>
static void big(unsigned char *to, uint64_t word, int bytes) {
  for (int i = 0; i < bytes; i++) to[i] = word >> (8 * (bytes - 1 - i));
}
int main(void) {
  uint32_t x = 0x2545f491, sum = 0;
  double chaos = 0.3, root = 2;
  for (uint32_t n = 1; n <= 20000; n++) {
    x ^= x << 13;
    x ^= (uint32_t)x >> 17;
    x ^= x << 5;
    sum = (sum ^ x) * 0x01000193u + n;
    chaos = 3.9999 * chaos * (1 - chaos);
    root = sqrt(root * n + chaos) / (chaos + 1.5);
  }
  unsigned char words[24];
  uint64_t bits;
  big(words, sum, 4);
  big(words + 4, x, 4);
  memcpy(&bits, &chaos, 8);
  big(words + 8, bits, 8);
  memcpy(&bits, &root, 8);
  big(words + 16, bits, 8);
  for (int i = 0; i < 65536; i++) putchar(words[i % 24] ^ (i & 0xff));
  return 0;
}`;

describe("the processor", () => {
  test.skipIf(Bun.which("gcc") === null)("computes what a program in C computes", () => {
    const [source, program] = [join(dir, "reference.c"), join(dir, "reference")];
    writeFileSync(source, REFERENCE);
    const built = Bun.spawnSync(["gcc", "-O1", "-ffp-contract=off", "-o", program, source, "-lm"], { stderr: "pipe" });
    expect(built.stderr.toString()).toBe("");
    const { stdout } = Bun.spawnSync([program]);
    expect(new Bun.CryptoHasher("sha256").update(stdout).digest("hex")).toBe(DIGEST);
    expect(crunch()).toBe(DIGEST);
  });

  test("is tried on every core that may be used", async () => {
    const child = new Answerer([...selfCommand(), "self-test"]);
    const answer = await child.ask({ test: "cpu" }, 20_000);
    child.close();
    const trial = (answer.is === "answered" ? answer.value : answer) as CpuTrial;
    expect(trial).toMatchObject({ cores: Math.max(1, allowedCpus().length), wrong: [] });
    expect(trial.runs_s).toBeGreaterThan(10);
  });

  test("with a core that computes wrong fails, and names it", () => {
    expect(cpuFinding({ cores: 8, wrong: [3], runs_s: 1 })).toMatchObject({
      verdict: "failed",
      required: true,
      detail: "core 3 of 8 computes wrong results",
    });
    expect(cpuFinding({ cores: 64, wrong: [...Array(10).keys()], runs_s: 1 }).detail).toContain("7 and 2 more of 64");
  });
});

describe("the memory", () => {
  test("keeps what is written to it", () => {
    const trial = tryMemory(4 * MIB);
    expect(trial.wrong).toBeNull();
    expect(memoryFinding(trial)).toMatchObject({ verdict: "passed", unit: "MB/s" });
    expect(trial.copied_bytes_s).toBeGreaterThan(1e8);
  });
  test("that does not fails, and says where", () => {
    const wrong = "word 7 is 55555554 and should be 55555555";
    const found = memoryFinding({ bytes: 1, wrong, copied_bytes_s: 1 });
    expect(found).toMatchObject({ verdict: "failed", detail: `memory does not keep what is written to it: ${wrong}` });
  });
});

describe("the disk", () => {
  test("is written, read back and synced, and nothing is left of it", () => {
    const found = diskFindings(tryDisk(dir, GIB));
    expect(found.map(({ name, verdict }) => [name, verdict])).toEqual([
      ["disk_write", "passed"],
      ["disk_read", "passed"],
      ["disk_sync", "passed"],
    ]);
    expect(readdirSync(dir).filter((name) => name.startsWith("disk-trial"))).toEqual([]);
  });
  test("that is gone fails the node", () => {
    const [found] = diskFindings(tryDisk(join(dir, "gone"), GIB));
    expect(found).toMatchObject({ name: "disk_write", verdict: "failed", required: true });
    expect(found?.detail).toStartWith("disk writes fail: ENOENT");
  });
  test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)("that is full fails the node", () => {
    const full = mkdtempSync(join(tmpdir(), "orch-full-"));
    const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", full], { stderr: "pipe" });
    expect(mounted.stderr.toString()).toBe("");
    try {
      const [found] = diskFindings(tryDisk(full, GIB));
      expect(found?.detail).toStartWith("disk writes fail: ENOSPC");
    } finally {
      expect(Bun.spawnSync(["umount", full]).exitCode).toBe(0);
      rmSync(full, { recursive: true });
    }
  });
});

describe("the file system", () => {
  const fine: FileSystem = {
    type: "ext4",
    network: null,
    no_exec: false,
    read_only: false,
    free_bytes: 50 * GIB,
    free_files: 1e6,
  };
  const cases: readonly (readonly [Partial<FileSystem>, string[], string[]])[] = [
    [{}, [], []],
    [{ network: "nfs" }, ["the data directory is on a network file system (nfs)"], []],
    [{ read_only: true }, ["the data directory is read-only"], []],
    [{ free_bytes: 10 * MIB }, ["the data directory has 10MiB left"], []],
    [{ free_bytes: 500 * MIB }, [], ["the data directory has 500MiB left"]],
    [{ free_files: 7 }, ["the data directory has room for 7 more files"], []],
    [{ free_files: 700 }, [], ["the data directory has room for 700 more files"]],
    [{ free_files: null }, [], []],
    [{ no_exec: true }, [], ["programs cannot be run from the data directory (noexec)"]],
  ];
  test.each(cases)("%j", (part, failures, warnings) => {
    const found = { ...fine, ...part };
    expect([failuresOf(found), warningsOf(found)]).toEqual([failures, warnings]);
  });
  test("of a directory of this machine is known", async () => {
    const found = await lookAtFileSystem(dir);
    expect(found).toMatchObject({ network: null, read_only: false });
    expect(found.free_bytes).toBeGreaterThan(0);
  });
  test("has the options of its mount and of its device", () => {
    const mounts = [
      "21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw",
      String.raw`40 21 8:2 / /data\040dir rw,noexec,nosuid - xfs /dev/sdb ro,attr2`,
    ].join("\n");
    expect(mountOf(mounts, "/data dir/orch")).toMatchObject({ type: "xfs" });
    expect(mountOf(mounts, "/data dir/orch")?.options).toContain("noexec");
    expect(mountOf(mounts, "/data dir/orch")?.options).toContain("ro");
    expect(mountOf(mounts, "/data")?.options).not.toContain("noexec");
  });
});

describe("cards", () => {
  const card = (id: string, part: Partial<Device> = {}): Device => ({
    ...PLAIN_DEVICE,
    id,
    vendor: "nvidia",
    model: "A100",
    memory_bytes: GIB,
    driver: "560.35",
    ...part,
  });
  test("are each a finding of their own, and never the node's failure", () => {
    const found = findingsOf(
      [
        card("GPU-1"),
        card("GPU-2", { state: "missing", reason: "fell off the bus" }),
        card("GPU-3", { state: "dirty", reason: "python is still on it" }),
      ],
      [],
    );
    expect(found.map(({ name, verdict, detail }) => [name, verdict, detail])).toEqual([
      ["gpu_driver", "passed", "nvidia 560.35"],
      ["gpu GPU-1", "passed", "A100"],
      ["gpu GPU-2", "failed", "A100 is missing: fell off the bus"],
      ["gpu GPU-3", "warned", "A100 is dirty: python is still on it"],
    ]);
    expect(found.every(({ required }) => !required)).toBe(true);
  });
  test("that were looked at anew say what came of it", () => {
    const tested = [
      { id: "GPU-1", model: "A100", is: "passed" as const, detail: "it can be used again" },
      { id: "GPU-9", model: "A100", is: "forgotten" as const, detail: "it is gone" },
    ];
    const found = findingsOf([card("GPU-1"), card("GPU-2")], tested);
    expect(found.map(({ name, verdict, detail }) => [name, verdict, detail])).toEqual([
      ["gpu_driver", "passed", "nvidia 560.35"],
      ["gpu GPU-1", "passed", "A100: it can be used again"],
      ["gpu GPU-9", "warned", "A100: it is gone"],
      ["gpu GPU-2", "passed", "A100"],
    ]);
  });
  test("that are very many are told of as far as a message has room, the bad ones first", () => {
    const many = Array.from({ length: 500 }, (_, n) => card(`MIG-${n}`));
    const tested = many.map(({ id, model }, n) => {
      return { id, model, is: n === 499 ? ("failed" as const) : ("forgotten" as const), detail: "it is gone" };
    });
    const found = findingsOf(many, tested);
    expect(found.length).toBeLessThan(RESULTS - 64);
    expect(found[1]).toMatchObject({ name: "gpu MIG-499", verdict: "failed" });
  });

  test("that are not there are not looked for", () => expect(findingsOf([], [])).toEqual([]));
});
