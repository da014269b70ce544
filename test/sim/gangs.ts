// What holds for the members of a gang: they are placed together, and go when all are prepared.

import type { State } from "../../src/core/model/rows-state";
import type { TaskRow } from "../../src/core/model/rows-task";
import { taskName } from "../../src/core/model/task";
import { demand } from "./violation";

/** Checks that no member of a gang goes before all are prepared. */
export function checkGo(row: TaskRow, state: State): void {
  const unready = [...state.tasks.values()].filter(
    (task) =>
      (task.owner_uid === row.owner_uid &&
        task.slot === row.slot &&
        task.attempt === row.attempt &&
        task.observed.state === "preparing" &&
        !task.observed.prepared) ||
      (task.owner_uid === row.owner_uid && task.attempt === row.attempt && task.observed.state === "assigned"),
  );
  demand(unready.length === 0, "14: a gang goes when all are prepared", () => unready.map(taskName).join(", "));
}

/** Checks that the members of a gang are placed together, with one attempt number. */
export function checkGangs(placed: readonly TaskRow[], state: State): void {
  for (const task of placed) {
    if (task.desired !== "prepare") continue;
    const before = [...state.tasks.values()].filter(
      (other) =>
        other.owner_uid === task.owner_uid &&
        other.slot === task.slot &&
        other.attempt < task.attempt &&
        other.written_off === null,
    );
    demand(
      before.length === 0,
      "14: a gang's next attempt comes after the last of all members",
      () => `${taskName(task)} beside ${before.map(taskName).join(", ")}`,
    );
  }
}
