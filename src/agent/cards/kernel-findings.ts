// Finds the lines about cards in the kernel's log: NVIDIA's XIDs, and the timeouts, hangs and resets of amdgpu, i915
// and xe. Other lines yield no finding.

import type { Vendor } from "../../core/model/device";
import type { KernelLine } from "../../os/kernel-log";

export interface KernelFinding {
  /** The key in the table of core/model/findings.ts. */
  readonly key: string;
  readonly vendor: Vendor;
  /** The address on the bus without its function, such as `0000:65:00`. Null if the line names no card. */
  readonly pci: string | null;
  /** The process that caused the finding, if the driver names it. */
  readonly pid: number | null;
  /** How long ago the line was logged, or null if that is unknown. */
  readonly age_ms: number | null;
}

type Found = Omit<KernelFinding, "age_ms">;

const PCI = "((?:[0-9a-f]{4}|[0-9a-f]{8}):[0-9a-f]{2}:[0-9a-f]{2})(?:\\.[0-7])?";
/** The beginning that `dmesg` and system logs put before a line. */
const HEAD = "^(?:(?:\\w{3} [ \\d]\\d [\\d:]{8}|\\d{4}-\\S+) \\S+ kernel: )?(?:\\[ *\\d+\\.\\d+\\] )?";
/**
 * A pattern matches only at the beginning of a line, which the driver writes. The rest may contain a text of any
 * process, such as a name whose mount was refused. A process can put its own name at the beginning, and that name is
 * shorter than any of these patterns.
 */
const XID = new RegExp(`${HEAD}NVRM: Xid \\((?:PCI:)?${PCI}[^)]*\\): (\\d+)(?:, (.*))?`, "i");
const AMD = new RegExp(`\\bamdgpu ${PCI}: `, "i");
const INTEL = new RegExp(`\\b(?:i915|xe) ${PCI}: `, "i");
const DRIVERS = {
  amd: new RegExp(`${HEAD}(?:amdgpu ${PCI}: |\\[drm:amdgpu_\\w+ \\[amdgpu\\]\\] )`, "i"),
  intel: new RegExp(
    `${HEAD}(?:(?:i915|xe) ${PCI}: |\\[drm:(?:i915|xe|intel)_\\w+ \\[\\w+\\]\\] |\\[drm\\] GPU HANG: ecode)`,
    "i",
  ),
} as const;

interface Pattern {
  readonly key: string;
  readonly vendor: keyof typeof DRIVERS;
  readonly says: RegExp;
}

/** The first pattern that matches counts. */
const PATTERNS: readonly Pattern[] = [
  {
    key: "amdgpu reset_failed",
    vendor: "amd",
    says: /amdgpu.*(?:GPU Recovery Failed|ASIC reset failed|GPU reset end with ret = -\d)/i,
  },
  { key: "amdgpu ras", vendor: "amd", says: /amdgpu.*uncorrectable hardware errors? detected/i },
  { key: "amdgpu timeout", vendor: "amd", says: /amdgpu.*\bring \S+ timeout/i },
  { key: "amdgpu reset", vendor: "amd", says: /amdgpu.*GPU reset begin/i },
  { key: "intel wedged", vendor: "intel", says: /\b(?:i915|xe)\b.*(?:wedged|Failed to reset chip)/i },
  { key: "intel hang", vendor: "intel", says: /GPU HANG: ecode|\bxe\b.*Timedout job/i },
  { key: "intel reset", vendor: "intel", says: /\bi915\b.*Resetting chip|\bxe\b.*\bGT\d+: reset (?:started|queued)/i },
];

/** Returns the findings in some lines, in the order of the lines. */
export function findingsIn(lines: readonly KernelLine[]): readonly KernelFinding[] {
  const found: KernelFinding[] = [];
  for (const { text, age_ms } of lines) {
    const one = xidIn(text) ?? otherIn(text);
    if (one !== null) found.push({ ...one, age_ms });
    else name(found, text);
  }
  return found;
}

/** `NVRM: Xid (PCI:0000:65:00): 79, pid=1234, name=python, GPU has fallen off the bus.` */
function xidIn(text: string): Found | null {
  const match = XID.exec(text);
  if (match === null) return null;
  const [, pci = "", code = "", rest = ""] = match;
  // This line reports that no recovery action is needed any more, so it is no finding.
  if (code === "154" && /to 0x[0-9a-f]+ \(none\)/i.test(rest)) return null;
  const pid = /\bpid=(\d+)/.exec(rest)?.[1];
  return { key: `xid ${code}`, vendor: "nvidia", pci: placeOf(pci), pid: pid === undefined ? null : Number(pid) };
}

function otherIn(text: string): Found | null {
  const pattern = PATTERNS.find(({ vendor, says }) => says.test(text) && DRIVERS[vendor].test(text));
  if (pattern === undefined) return null;
  const { key, vendor } = pattern;
  const pci = (vendor === "amd" ? AMD : INTEL).exec(text)?.[1];
  const pid = / in \S.* \[(\d+)\]/.exec(text)?.[1];
  return { key, vendor, pci: pci === undefined ? null : placeOf(pci), pid: pid === undefined ? null : Number(pid) };
}

/** amdgpu names the process on the next line: `Process python pid 4711 thread python:cs0 pid 4720`. */
function name(found: KernelFinding[], text: string): void {
  const last = found.at(-1);
  if (last === undefined || last.key !== "amdgpu timeout" || last.pid !== null || !DRIVERS.amd.test(text)) return;
  const pid = /\bProcess (?:information: process )?.* pid (\d+) thread/.exec(text)?.[1];
  if (pid !== undefined && pid !== "0") found[found.length - 1] = { ...last, pid: Number(pid) };
}

/** Domains have four digits here, as everywhere in /sys. */
const placeOf = (pci: string): string => pci.toLowerCase().replace(/^0{4}(?=[0-9a-f]{4}:)/, "");
