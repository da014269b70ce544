// Lines of kernel logs as drivers write them, and what is found in them.

import { describe, expect, test } from "bun:test";
import { findingsIn, type KernelFinding } from "../../../src/agent/cards/kernel-findings";

const found = (...texts: readonly string[]): readonly Partial<KernelFinding>[] =>
  findingsIn(texts.map((text) => ({ text, age_ms: 7 }))).map(({ age_ms, ...rest }) => {
    expect(age_ms).toBe(7);
    return rest;
  });

const xid = (code: number, pci: string, pid: number | null) => ({ key: `xid ${code}`, vendor: "nvidia", pci, pid });
const amd = (key: string, pci: string | null, pid: number | null = null) => ({ key, vendor: "amd", pci, pid });
const intel = (key: string, pci: string | null, pid: number | null = null) => ({ key, vendor: "intel", pci, pid });

const CASES: readonly (readonly [string, readonly string[], readonly object[]])[] = [
  [
    "an XID with its process",
    ["NVRM: Xid (PCI:0000:65:00): 31, pid=4711, name=python, Ch 00000010, intr 00000000. MMU Fault: ENGINE GRAPHICS"],
    [xid(31, "0000:65:00", 4_711)],
  ],
  [
    "an XID whose process is not known",
    ["NVRM: Xid (PCI:0000:05:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."],
    [xid(79, "0000:05:00", null)],
  ],
  ["an XID of an old driver", ["NVRM: Xid (0000:01:00): 13, 0005 00000000 0000502d"], [xid(13, "0000:01:00", null)]],
  [
    "an XID of a part of a card",
    ["NVRM: Xid (PCI:0000:C1:00 GPU-I:05): 94, pid=7194, Contained: SM (0x1). RST: No, D-RST: No"],
    [xid(94, "0000:c1:00", 7_194)],
  ],
  ["an XID on a far bus", ["NVRM: Xid (PCI:0008:01:00): 48, pid=1, x"], [xid(48, "0008:01:00", 1)]],
  ["an XID with a long domain", ["NVRM: Xid (PCI:00000000:65:00): 48, pid=1, x"], [xid(48, "0000:65:00", 1)]],
  [
    "an XID behind the time of `dmesg` and a system log",
    ["Nov 25 10:11:12 box1 kernel: [  966.503025] NVRM: Xid (PCI:0000:01:00): 63, pid=1896, Row Remapper: New row"],
    [xid(63, "0000:01:00", 1_896)],
  ],
  [
    "a recovery that is wanted",
    ["NVRM: Xid (PCI:0000:65:00): 154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)"],
    [xid(154, "0000:65:00", null)],
  ],
  [
    "no recovery when it is over",
    ["NVRM: Xid (PCI:0000:65:00): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)"],
    [],
  ],
  [
    "a timeout of amdgpu, with whose work it was on the next line, and the reset",
    [
      "amdgpu 0000:28:00.0: amdgpu: ring gfx_0.0.0 timeout, signaled seq=57638, emitted seq=57641",
      "amdgpu 0000:28:00.0: amdgpu:  Process python3 pid 2288 thread python3:cs0 pid 2316",
      "amdgpu 0000:28:00.0: amdgpu: Starting gfx_0.0.0 ring reset",
      "amdgpu 0000:28:00.0: amdgpu: Ring gfx_0.0.0 reset failed",
      "amdgpu 0000:28:00.0: amdgpu: GPU reset begin!. Source:  1",
      "amdgpu 0000:28:00.0: amdgpu: GPU reset succeeded, trying to resume",
    ],
    [amd("amdgpu timeout", "0000:28:00", 2_288), amd("amdgpu reset", "0000:28:00")],
  ],
  [
    "a timeout of an older amdgpu, which does not name the card",
    [
      "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring sdma0 timeout, signaled seq=121570, emitted seq=121572",
      "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* Process information: process  pid 0 thread  pid 0",
      "amdgpu 0000:33:00.0: amdgpu: GPU reset begin!",
    ],
    [amd("amdgpu timeout", null), amd("amdgpu reset", "0000:33:00")],
  ],
  [
    "a reset of amdgpu that failed",
    ["amdgpu 0000:03:00.0: amdgpu: GPU reset end with ret = -110"],
    [amd("amdgpu reset_failed", "0000:03:00")],
  ],
  [
    "memory errors of amdgpu",
    ["amdgpu 0000:c1:00.0: amdgpu: 1 new uncorrectable hardware errors detected in UMC block"],
    [amd("amdgpu ras", "0000:c1:00")],
  ],
  [
    "a hang and a reset of i915",
    [
      "i915 0000:00:02.0: [drm] Resetting chip for GuC failed to reset engine mask=0x1",
      "i915 0000:00:02.0: [drm] GPU HANG: ecode 12:1:0020fffe, in luxmark.bin [1676]",
    ],
    [intel("intel reset", "0000:00:02"), intel("intel hang", "0000:00:02", 1_676)],
  ],
  [
    "a hang and a reset of xe, and that it was given up",
    [
      "xe 0000:03:00.0: [drm] GT0: Timedout job: seqno=4294967169, lrc_seqno=4294967169, guc_id=8, in python3 [812]",
      "xe 0000:03:00.0: [drm] GT0: reset started",
      "xe 0000:03:00.0: [drm] CRITICAL: Xe has declared device 0000:03:00.0 as wedged.",
    ],
    [intel("intel hang", "0000:03:00", 812), intel("intel reset", "0000:03:00"), intel("intel wedged", "0000:03:00")],
  ],
  [
    "nothing of a card, where the words are somebody's own",
    [
      "tmpfs: Unknown parameter 'NVRM: Xid (PCI:0000:65:00): 79'",
      "overlayfs: failed to resolve 'x kernel: [    1.000000] NVRM: Xid (PCI:0000:65:00): 79, pid=1': -2",
      "process '/tmp/amdgpu 0000:03:00.0: amdgpu: GPU Recovery Failed' started with executable stack",
      "amdgpu x[4711]: segfault at 0 ip 0 error 4 in amdgpu 0000:03:00.0: GPU reset end with ret = -1[400000+1000]",
      "[drm] x[4711]: segfault at 0 ip 0 sp 0 error 4 in GPU HANG: ecode 1 i915 wedged[400000+1000]",
      "[drm:xe_a [xe]][4711]: segfault at 0 ip 0 sp 0 error 4 in xe wedged[400000+1000]",
    ],
    [],
  ],
  [
    "an older hang of i915",
    ["[   12.345678] [drm] GPU HANG: ecode 9:0:0x85dffffb, in Xorg [1234], reason: Hang on render ring, action: reset"],
    [intel("intel hang", null, 1_234)],
  ],
  [
    "nothing of a card",
    [
      "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.15",
      "NVRM: GPU at PCI:0000:03:00: GPU-455d8f70-2051-db6c-0430-ffc457bff834",
      "NVRM: Xid error: xyz, invalid data",
      "Memory cgroup out of memory: Killed process 31806 (tail)",
      "amdgpu 0000:12:00.0: amdgpu: ring gfx_0.0.0 uses VM inv eng 0 on hub 0",
      "",
    ],
    [],
  ],
];

describe("a kernel's log tells of", () => {
  for (const [what, texts, expected] of CASES) {
    test(what, () => expect(found(...texts)).toEqual(expected as Partial<KernelFinding>[]));
  }
});
