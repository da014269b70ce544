// What a task's recorded end may say, held against what its process did.

import type { TaskFinal, TaskRow } from "../../src/core/model";
import { isFinal } from "../../src/core/lifecycle";
import { taskName } from "../../src/core/task";
import type { Life } from "./lives";
import { demand } from "./violation";

/**
 * `excused`: the machine is out of reach for good, or nobody counts on the task any more. `forgetful`: its agent lost
 * records. `rebooted`: the boot that it was for is over.
 */
export function checkEnd(
  row: TaskRow,
  life: Life | null,
  excused: boolean,
  forgetful: boolean,
  rebooted: boolean,
): void {
  const { observed } = row;
  const name = (): string => `${taskName(row)} ${row.uid.slice(0, 6)} on ${row.node_id} as ${observed.state}`;
  demand(isFinal(observed.state), "history holds what is over", name);
  const final = observed as TaskFinal;
  if (final.state === "rejected") {
    demand(life === null, "13: what was rejected never ran", name);
    return;
  }
  if (life === null) {
    const unproven = final.state === "lost" && final.reason === "its node has no record of it";
    demand(!unproven || excused || forgetful || rebooted, "9: lost needs proof", name);
    demand(final.state !== "succeeded" && final.exit_code === null, "I9: no end without a process", name);
    return;
  }
  if (life.ended_ms === null) {
    demand(excused && final.state === "lost", "I8: no end is written of what lives", name);
    return;
  }
  if (final.state === "lost") return;
  if (forgetful && final.state === "stopped" && final.exit_code === null && final.reason !== null) return;
  // Nobody could write down how what went with its machine ended.
  if (life.exit?.signal === "POWER" && final.exit_code === null && final.signal === null) return;
  demand(
    final.exit_code === (life.exit?.exit_code ?? null) && final.signal === (life.exit?.signal ?? null),
    "I9: exit codes are true",
    () =>
      `${name()}: ${final.exit_code ?? final.signal ?? "?"}, was ` +
      `${life.exit?.exit_code ?? life.exit?.signal ?? "?"}`,
  );
  if (final.state === "succeeded") demand(final.exit_code === 0, "I9: success is exit code 0", name);
}
