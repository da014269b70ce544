// What an attached run of an array tells: how far it is, and at its end which elements have failed.

import { formatProgress } from "../../core/format";
import { overIn } from "../../core/model/array";
import type { RunDetail, RunView } from "../../wire/api/runs";
import type { Context } from "../context";
import { outcomeLine } from "./outcome";

/** Of a thousand elements the change of each would be too much to read. */
const STEPS = 10;

type SeenArray = Pick<RunView, "run" | "array">;

/**
 * Returns a function that says how far an array is: at each further tenth, and at the first failure. `tell` says it
 * otherwise than in a note.
 */
export function arrayNotes(context: Context, tell?: (run: SeenArray) => void): (run: SeenArray) => void {
  let said = { step: 0, hasFailed: false };
  return ({ run, array }) => {
    if (array === null) return;
    const now = {
      step: Math.floor((STEPS * overIn(array)) / array.total),
      hasFailed: array.failed + array.unknown > 0,
    };
    // A look may answer later than a newer change has come, and what is over stays so.
    if (now.step < said.step || (now.step === said.step && now.hasFailed <= said.hasFailed)) return;
    said = { step: now.step, hasFailed: now.hasFailed || said.hasFailed };
    if (tell === undefined) context.note(`orch: run ${run}: ${formatProgress(array)}`);
    else tell({ run, array });
  };
}

/** Returns one line on how an array ended: the server's words name the first elements that have failed. */
export function arrayOutcome(run: RunDetail): string | null {
  const { array, state, reason } = run;
  if (array === null) return outcomeLine(run);
  if (state === "failed" && reason !== null) return `run ${run.run} failed: ${reason}`;
  return `${outcomeLine(run) ?? `run ${run.run} ${state}`}: ${formatProgress(array)}`;
}
