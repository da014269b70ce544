// The moments of a job's way through server, agent and keeper, for measuring. Each step is one line in the code; where
// ORCH_TRACE names no file, it does nothing.

import { appendFileSync } from "node:fs";

const path = process.env["ORCH_TRACE"];

/** Notes that a step is reached now, on the wall clock of this machine in ms. */
export const trace: (step: string) => void =
  path === undefined || path === ""
    ? () => undefined
    : (step) => appendFileSync(path, `${(performance.timeOrigin + performance.now()).toFixed(3)} ${step}\n`);
