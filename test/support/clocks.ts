// Clocks that stand still and agree, for tests in which time does not matter.

import type { Clocks } from "../../src/agent/tasks/moments";

export const STILL: Clocks = { boot_id: "boot", boot_ms: 2_000_000, wall_ms: 2_000_000 };
