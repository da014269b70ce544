// Who types a command line, and when.

import type { Host } from "../host";
import type { TypedAt } from "../instead/slurm";

export const typedAt = ({ env, now }: Host): TypedAt => ({
  user: env["USER"] ?? env["LOGNAME"] ?? null,
  now_ms: now(),
});
