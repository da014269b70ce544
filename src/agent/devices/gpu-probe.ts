// The child that agents start for each vendor whose library or driver may hang: it asks, and the agent asks it. Without
// a vendor it prints what all probes of this machine see, for people who wonder.

import { answerQuestions } from "../../os/answerer";
import { NvmlLooker } from "./nvml-look";
import { findProbes, lookAtAll, probePlaces } from "./probes";

/** `gpu-probe nvidia LIBRARY` serves until its input ends; `gpu-probe` gives back a text and ends. */
export async function runGpuProbe(args: readonly string[]): Promise<string> {
  const [vendor, place] = args;
  if (vendor === "nvidia" && place !== undefined) {
    const looker = new NvmlLooker(place);
    await answerQuestions(() => looker.look());
    return "";
  }
  const probes = findProbes(probePlaces(process.env));
  const looks = await lookAtAll(probes);
  for (const probe of probes) probe.close();
  return `${JSON.stringify(Object.fromEntries(looks), null, 2)}\n`;
}
