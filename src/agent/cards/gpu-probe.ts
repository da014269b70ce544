// The child that agents start for each vendor whose library or driver may hang: it asks, and the agent asks it. Without
// a vendor it prints what all probes of this machine see, for people who wonder.

import { answerQuestions } from "../../os/process/answerer";
import { bootMs } from "../../os/clock";
import { lookAtAmd } from "../devices/amd/amd-look";
import { IntelLooker } from "../devices/intel/intel-look";
import { NvmlLooker } from "../devices/nvidia/nvml-look";
import { findProbes, lookAtAll, probePlaces } from "./probes";
import { treeAt } from "../devices/sysfs";

/** `gpu-probe VENDOR PLACE` serves until its input ends; `gpu-probe` gives back a text and ends. */
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

/** What a child does for a vendor at a place: its library, or the root of the machine's files. */
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
