// The child process for a vendor whose library or driver may hang: the child asks the driver, and answers the agent.
// Without a vendor, the command prints what all probes of this machine see, for people.

import { answerQuestions } from "../../os/process/answerer";
import { bootMs } from "../../os/clock";
import { lookAtAmd } from "../devices/amd/amd-look";
import { IntelLooker } from "../devices/intel/intel-look";
import { NvmlLooker } from "../devices/nvidia/nvml-look";
import { findProbes, lookAtAll, probePlaces } from "./probes";
import { treeAt } from "../devices/sysfs";

/** Runs the command. `gpu-probe VENDOR PLACE` answers questions until its input ends; `gpu-probe` returns a text. */
export async function runGpuProbe(args: readonly string[]): Promise<string> {
  const look = lookerOf(args);
  if (look !== null) {
    await answerQuestions(look);
    return "";
  }
  const probes = findProbes(probePlaces(process.env));
  const looks = await lookAtAll(probes);
  for (const probe of probes) probe.close();
  return `${JSON.stringify(Object.fromEntries(looks), null, 2)}\n`;
}

/**
 * Returns the function that looks at a vendor's cards, or null for an unknown vendor. The place is the vendor's
 * library, or the root of the machine's files.
 */
function lookerOf([vendor, place]: readonly string[]): (() => unknown) | null {
  if (place === undefined) return null;
  switch (vendor) {
    case "nvidia": {
      const looker = new NvmlLooker(place);
      return () => looker.look();
    }
    case "amd":
      return () => lookAtAmd(treeAt(place));
    case "intel": {
      const looker = new IntelLooker(treeAt(place), bootMs);
      return () => looker.look();
    }
    default:
      return null;
  }
}
