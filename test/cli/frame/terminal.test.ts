// How wide a terminal counts as.

import { expect, test } from "bun:test";
import { columnsOf } from "../../../src/cli/frame/terminal";

test.each([
  [120, undefined, 120],
  [120, "60", 60],
  [0, undefined, 80],
  [undefined, undefined, 80],
  [0, "100", 100],
  [120, "0", 120],
  [120, "wide", 120],
  [120, "", 120],
])("a terminal that says %p, with COLUMNS=%p, has %p columns", (size, said, columns) =>
  expect(columnsOf(size, said)).toBe(columns),
);
