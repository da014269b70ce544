// TaskInputs of tasks for agents whose tasks read nothing from standard input.

import type { TaskInputs } from "../../src/agent/tasks/inputs";

export const NO_INPUTS: TaskInputs = {
  want: () => undefined,
  fetching: new Map(),
  failing: new Map(),
  onChange: () => undefined,
  stop: () => undefined,
};
