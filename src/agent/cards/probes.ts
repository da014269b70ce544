// The probes of this machine, one for each vendor that shows, and a look at all of them. Where there is no card there
// is no probe.

import type { Vendor } from "../../core/model/device";
import { amdProbe, hasAmd } from "../devices/amd/amd";
import { appleProbe, hasApple } from "../devices/apple/apple";
import { LOOK_LIMITS, type DeviceProbe, type DeviceLook, type LookLimits, type ProbePlaces } from "../devices/device";
import { hasIntel, intelProbe } from "../devices/intel/intel";
import { hasNvidia, nvidiaProbe } from "../devices/nvidia/nvidia";

/** Where probes look, as the environment says: paths that are not set are looked for in the usual places. */
export function probePlaces(env: Readonly<Record<string, string | undefined>>): ProbePlaces {
  const path = (name: string): string | null => {
    const value = env[name];
    return value === undefined || value === "" ? null : value;
  };
  return {
    root: "/",
    nvml: path("ORCH_NVML"),
    nvidia_smi: path("ORCH_NVIDIA_SMI"),
    amd_smi: path("ORCH_AMD_SMI"),
    rocm_smi: path("ORCH_ROCM_SMI"),
    xpu_smi: path("ORCH_XPU_SMI"),
    system_profiler: null,
  };
}

interface Maker {
  /** Whether this vendor's driver or hardware shows, or a person has named its library or tool. */
  readonly isHere: (places: ProbePlaces) => boolean;
  readonly open: (places: ProbePlaces, limits: LookLimits) => DeviceProbe;
}

const MAKERS: readonly Maker[] = [
  { isHere: hasNvidia, open: nvidiaProbe },
  { isHere: hasAmd, open: amdProbe },
  { isHere: hasIntel, open: intelProbe },
  { isHere: hasApple, open: appleProbe },
];

/** A probe for each vendor that shows on this machine now. None of them has looked yet. */
export const findProbes = (places: ProbePlaces, limits: LookLimits = LOOK_LIMITS): readonly DeviceProbe[] =>
  MAKERS.filter(({ isHere }) => isHere(places)).map(({ open }) => open(places, limits));

/** Looks at all vendors at once; ends when the slowest has. */
export async function lookAtAll(probes: readonly DeviceProbe[]): Promise<ReadonlyMap<Vendor, DeviceLook>> {
  const looks = await Promise.all(probes.map(async (probe) => [probe.vendor, await probe.look()] as const));
  return new Map(looks);
}
