// Holds a task's recorded end against what its process did.

import type { TaskRow } from "../../src/core/model/rows-task";
import { isEnd, taskName } from "../../src/core/model/task";
import type { Life } from "./lives";
import { demand } from "./violation";

export interface Excuses {
  /** Whether the machine is out of reach for good, or nobody counts on the task any more. */
  readonly beyond: boolean;
  /** Whether the task's agent lost records. */
  readonly forgetful: boolean;
  /**
   * Whether an older database was restored at some time. What had been accepted and not begun may have been dropped
   * then.
   */
  readonly restored: boolean;
  /** Whether the boot for which the task was assigned is over. */
  readonly rebooted: boolean;
}

export function checkEnd(row: TaskRow, life: Life | null, excuses: Excuses): void {
  const { beyond, forgetful, restored, rebooted } = excuses;
  const { observed } = row;
  const name = (): string => `${taskName(row)} ${row.uid.slice(0, 6)} on ${row.node_id} as ${observed.state}`;
  demand(isEnd(observed), "history holds what is over", name);
  const final = observed;
  if (final.state === "rejected") {
    demand(life === null, "13: what was rejected never ran", name);
    return;
  }
  const unproven = final.state === "lost" && final.cause === "no_record";
  const isProven = !unproven || beyond || rebooted;
  demand(isProven || restored || life !== null, "9: lost needs proof", name);
  demand(isProven || life === null, "10: an end is kept until it is durable, and told to a new timeline", name);
  if (life === null) {
    demand(final.state !== "succeeded" && final.exit_code === null, "I9: no end without a process", name);
    return;
  }
  if (life.ended_ms === null) {
    demand(beyond && final.state === "lost", "I8: no end is written of what lives", name);
    return;
  }
  if (final.state === "lost") return;
  if ((forgetful || restored) && final.state === "stopped" && final.exit_code === null && final.reason !== null) return;
  // Nobody could write down how a process ended that went with its machine.
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
