// The probes of this machine, one for each vendor that is present, and a look through all of them. A machine without
// cards has no probes.

import type { Vendor } from "../../core/model/device";
import { amdProbe, hasAmd } from "../devices/amd/amd";
import { appleProbe, hasApple } from "../devices/apple/apple";
import { LOOK_LIMITS, type DeviceProbe, type DeviceLook, type LookLimits, type ProbePlaces } from "../devices/device";
import { hasIntel, intelProbe } from "../devices/intel/intel";
import { hasNvidia, nvidiaProbe } from "../devices/nvidia/nvidia";

/** Returns where probes look, as the environment says. Paths that are not set are looked for in the usual places. */
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
  /** Returns whether this vendor's driver or hardware is present, or an operator has named its library or tool. */
  readonly isHere: (places: ProbePlaces) => boolean;
  readonly open: (places: ProbePlaces, limits: LookLimits) => DeviceProbe;
}

const MAKERS: readonly Maker[] = [
  { isHere: hasNvidia, open: nvidiaProbe },
  { isHere: hasAmd, open: amdProbe },
  { isHere: hasIntel, open: intelProbe },
  { isHere: hasApple, open: appleProbe },
];

/** Returns a probe for each vendor that is present now. None of the probes has looked yet. */
export const findProbes = (places: ProbePlaces, limits: LookLimits = LOOK_LIMITS): readonly DeviceProbe[] =>
  MAKERS.filter(({ isHere }) => isHere(places)).map(({ open }) => open(places, limits));

/** Looks through all probes at once. Resolves when the slowest look has ended. */
export async function lookAtAll(probes: readonly DeviceProbe[]): Promise<ReadonlyMap<Vendor, DeviceLook>> {
  const looks = await Promise.all(probes.map(async (probe) => [probe.vendor, await probe.look()] as const));
  return new Map(looks);
}
