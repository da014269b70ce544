// A keeper's order: how many processes a task may have.

import { expect, test } from "bun:test";
import { pidsOfTask } from "../../../src/agent/drivers/order";

test.each<[string | null, number]>([
  ["4194304", 16_384],
  ["32768", 4_096],
  ["4", 1],
  ["", 16_384],
  ["what", 16_384],
  [null, 16_384],
])("where the kernel has %p process ids, a task may have %d", (pid_max, most) => {
  expect(pidsOfTask(pid_max)).toBe(most);
});
