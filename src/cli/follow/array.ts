// What an attached run of an array tells: how far it is, and at its end which elements have failed.

import { formatProgress } from "../../core/format";
import type { ElementView } from "../../wire/api/arrays";
import type { RunDetail, RunView } from "../../wire/api/runs";
import type { Client } from "../../wire/client";
import type { Context } from "../context";
import { sayFailed } from "../print/elements";
import { outcomeLine } from "./outcome";

/** The most failed elements that are named. */
export const FAILED_NAMED = 5;

/** Of a thousand elements the change of each would be too much to read. */
const STEPS = 10;

/** Returns a function that says how far an array is: at each further tenth, and at the first failure. */
export function arrayNotes(context: Context): (run: Pick<RunView, "run" | "array">) => void {
  let said = { step: 0, hasFailed: false };
  return ({ run, array }) => {
    if (array === null) return;
    const now = {
      step: Math.floor((STEPS * (array.succeeded + array.failed)) / array.total),
      hasFailed: array.failed > 0,
    };
    if (now.step <= said.step && now.hasFailed === said.hasFailed) return;
    said = now;
    context.note(`orch: run ${run}: ${formatProgress(array)}`);
  };
}

/** Returns the first elements of a run that have failed, and none if it is no array. */
export async function firstFailed(
  client: Client,
  { run, array }: Pick<RunView, "run" | "array">,
): Promise<ElementView[]> {
  if (array === null || array.failed === 0) return [];
  return (await client.elements(run, { state: "failed", limit: FAILED_NAMED })).elements;
}

/** Returns one line on how an array ended. */
export function arrayOutcome(run: RunDetail, first: readonly ElementView[]): string | null {
  const { array, state } = run;
  const [worst] = first;
  if (array === null) return outcomeLine(run);
  if (state === "failed" && worst !== undefined) {
    const some = `${array.failed} of ${array.total} elements failed: ${sayFailed(first, array.failed)}`;
    return `run ${run.run} failed: ${some}; see: orch logs ${run.run}_${worst.slot}`;
  }
  return `${outcomeLine(run) ?? `run ${run.run} ${state}`}: ${formatProgress(array)}`;
}
