// All limits of a spec text and of the amounts in it, so that a hostile or broken file costs little and fails with a
// clear error.

import { HOUSE_LIMITS } from "../core/limits";
import { DAY_MS, MIB, type Bytes, type Ms } from "../core/units";

/** Bounds of the text, checked before and while it is parsed. */
export const TEXT_LIMITS = {
  bytes: HOUSE_LIMITS.spec_bytes,
  /** Pieces of YAML syntax, spaces and comments included. This bounds the time of parsing. */
  tokens: 100_000,
  depth: HOUSE_LIMITS.spec_depth,
  /** Values and keys, after aliases are resolved. */
  nodes: 10_000,
  /** The most issues that are shown for one text. */
  issues: 100,
} as const;

/** Bounds of what one workload asks for. */
export const ASK_LIMITS = {
  env_names: HOUSE_LIMITS.env_names,
  env_bytes: HOUSE_LIMITS.env_bytes,
  label_count: HOUSE_LIMITS.label_count,
  port_count: 64,
  argv_count: 4_096,
  /** The kernel takes 128 KiB as one argument; some of that is left for what is put around a command. */
  argument_bytes: 124 * 1024,
  /** What a job waits for: `after`, `after_any` and `after_failed` together. */
  after_count: 1_000,
  replicas: 10_000,
  gang_members: 1_000,
  gpu_count: 64,
  share_bytes: (64 * MIB) as Bytes,
  priority: 10_000,
  retries: 1_000,
  attempts: 1_000_000,
  cpu_milli: 100_000_000,
  countable: HOUSE_LIMITS.countable,
  size_bytes: HOUSE_LIMITS.amount as Bytes,
  memory_min_bytes: MIB as Bytes,
  nofile_min: 64,
  /** The kernel's own bound, unless somebody has raised it. */
  nofile: 1_048_576,
  stack_min_bytes: (MIB / 8) as Bytes,
  duration_ms: (3_650 * DAY_MS) as Ms,
} as const;
