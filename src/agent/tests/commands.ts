// Tests that operators define: each is a command with its own time limit, run under the agent's account without the
// agent's environment. The end of its output is kept.

import { join } from "node:path";
import { formatDuration } from "../../core/format";
import type { TestCommand } from "../../core/model/node-tests";
import { makePrivateDir } from "../../os/files/files";
import { accountOfProcess } from "../../os/machine";
import { SYSTEM_PATH } from "../../os/process/spawn";
import { runTrial, type Trial } from "../../os/process/trial";
import type { Finding, Part } from "./part";

/**
 * The battery's limit exceeds the command's own limit by this much, so that the command's limit is the one that counts.
 */
const GRACE_MS = 30_000;

export const commandPart = ({ name, argv, timeout_ms, required }: TestCommand): Part => ({
  name,
  required,
  timeout_ms: timeout_ms + GRACE_MS,
  async run({ data }, { signal }) {
    const cwd = join(data, "tests");
    makePrivateDir(cwd);
    const { name: user } = accountOfProcess();
    const env = {
      PATH: SYSTEM_PATH,
      LANG: "C.UTF-8",
      USER: user,
      LOGNAME: user,
      HOME: process.env["HOME"] ?? "/",
      ORCH_TEST: name,
    };
    const trial = await runTrial({ argv, cwd, env, timeout_ms, signal });
    return [commandFinding({ name, required }, trial, timeout_ms)];
  },
});

export function commandFinding(
  { name, required }: Pick<TestCommand, "name" | "required">,
  trial: Trial,
  timeout_ms: number,
): Finding {
  const passed = trial.is === "ended" && trial.code === 0;
  const verdict = passed ? "passed" : "failed";
  return { name, required, verdict, detail: detailOf(trial, timeout_ms), value: null, unit: null };
}

/** Returns one line with the result, and the output below it. */
function detailOf(trial: Trial, timeout_ms: number): string {
  if (trial.is === "failed") return `could not start: ${trial.why}`;
  const tail = trial.tail.trim();
  const last = tail.split("\n").at(-1) ?? "";
  const said = last === "" ? "" : `: ${last}`;
  const output = tail === last ? "" : `\n${tail}`;
  if (trial.is === "late") return `did not end within ${formatDuration(timeout_ms)}${said}${output}`;
  if (trial.signal !== null) return `ended by signal ${trial.signal}${said}${output}`;
  return trial.code === 0 ? tail : `exit code ${trial.code}${said}${output}`;
}
