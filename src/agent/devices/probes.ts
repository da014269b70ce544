// The probes of this machine, one a vendor, and a look at all of them. Where there is no card nothing is started.

import type { Vendor } from "../../core/device";
import { LOOK_LIMITS, type DeviceProbe, type Look, type LookLimits, type ProbePlaces } from "./device";
import { nvidiaProbe } from "./nvidia";

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

export const findProbes = (places: ProbePlaces, limits: LookLimits = LOOK_LIMITS): readonly DeviceProbe[] => [
  nvidiaProbe(places, limits),
];

/** Looks at all vendors at once; ends when the slowest has. */
export async function lookAtAll(probes: readonly DeviceProbe[]): Promise<ReadonlyMap<Vendor, Look>> {
  const looks = await Promise.all(probes.map(async (probe) => [probe.vendor, await probe.look()] as const));
  return new Map(looks);
}
