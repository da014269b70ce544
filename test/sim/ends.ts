// Holds a task's recorded end against what its process did.

import type { TaskRow } from "../../src/core/model/rows-task";
import { isEnd, taskName } from "../../src/core/model/task";
import type { Life } from "./lives";
import { demand } from "./violation";

export interface Excuses {
  /** Whether anything of the task was executed. A batch begins before the first of its elements does. */
  readonly ran: boolean;
  /** Whether the machine is out of reach for good, or nobody counts on the task any more. */
  readonly beyond: boolean;
  /** Whether the task's record, claim or keeper was lost. */
  readonly unknowable: boolean;
  /**
   * Whether an older database was restored at some time. What had been accepted and not begun may have been dropped
   * then.
   */
  readonly restored: boolean;
  /** Whether the boot for which the task was assigned is over. */
  readonly rebooted: boolean;
}

export function checkEnd(row: TaskRow, life: Life | null, excuses: Excuses): void {
  const { beyond, unknowable, restored, rebooted } = excuses;
  const { observed } = row;
  const name = (): string => `${taskName(row)} ${row.uid.slice(0, 6)} on ${row.node_id} as ${observed.state}`;
  demand(isEnd(observed), "history holds what is over", name);
  const final = observed;
  if (final.state === "rejected") {
    demand(life === null || !excuses.ran, "13: what was rejected never ran", name);
    return;
  }
  demand(final.state !== "unknown" || unknowable, "27: an end is unknown only where its record was lost", name);
  const isProven = final.cause !== "no_record" || final.state === "unknown" || beyond || rebooted;
  demand(final.state !== "lost" || isProven || restored, "9: lost needs proof", name);
  if (life === null) {
    demand(final.state !== "failed", "28: what its node could not begin is no failure", name);
    demand(final.state !== "succeeded" && final.exit_code === null, "I9: no end without a process", name);
    return;
  }
  if (life.ended_ms === null) {
    const isUnseen = final.state === "lost" || final.state === "unknown";
    demand(beyond && isUnseen, "I8: no end is written of what lives", name);
    return;
  }
  if (final.state === "unknown") return;
  if (final.state === "lost") {
    // Nobody can tell a reboot that ended a task from one that came after its keeper had died and it had ended.
    const isOver = life.exit?.signal === "POWER" || beyond || (unknowable && rebooted);
    demand(isOver, "27: what is lost never completed", name);
    return;
  }
  if (restored && final.state === "stopped" && final.exit_code === null && final.reason !== null) return;
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
