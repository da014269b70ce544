// The planner's limits under the names that operators type: `--set replace_after=10s`. The type demands a line for each
// limit.

import type { PlanLimits } from "../../core/pass/snapshot";
import { invalid, parsed, quoted, type Parsed } from "../../spec/issue";
import { didYouMean } from "../../spec/grammar/nearest";
import { readDuration } from "../../spec/grammar/units";

const LIMITS: Readonly<Record<keyof PlanLimits, "duration" | "number" | "ports">> = {
  unreachable_after_ms: "duration",
  lost_after_ms: "duration",
  replace_after_ms: "duration",
  requeue_after_ms: "duration",
  lease_ms: "duration",
  lease_margin_ms: "duration",
  settle_ms: "duration",
  prepare_deadline_ms: "duration",
  test_deadline_ms: "duration",
  port_rest_ms: "duration",
  avoid_ms: "duration",
  reject_limit: "number",
  loss_limit: "number",
  grant_attempts: "number",
  stable_ms: "duration",
  mass_silence_share: "number",
  node_checks: "number",
  placements: "number",
  port_range: "ports",
  patience_ms: "duration",
};

export interface Setting {
  readonly name: keyof PlanLimits;
  readonly value: number | readonly [number, number];
}

/**
 * Reads `NAME=VALUE`. Durations have a unit; the `_ms` of a name may be left out, as in `replace_after=10s`. A bare
 * number behind a name with `_ms` is in milliseconds.
 */
export function readSetting(text: string): Parsed<Setting> {
  const [typed = "", ...rest] = text.split("=");
  const value = rest.join("=");
  const names = Object.keys(LIMITS) as (keyof PlanLimits)[];
  const name = names.find((one) => one === typed || one === `${typed}_ms`);
  if (name === undefined) {
    return invalid(`${quoted(typed)} is no limit`, didYouMean(typed, names) ?? `one of ${names.join(", ")}`);
  }
  switch (LIMITS[name]) {
    case "duration": {
      const duration = readDuration(/^\d+$/.test(value) && typed.endsWith("_ms") ? `${value}ms` : value);
      return duration.is === "parsed" ? parsed({ name, value: duration.value }) : duration;
    }
    case "ports": {
      const [, low, high] = /^(\d{1,5})(?:\.\.|-)(\d{1,5})$/.exec(value) ?? [];
      if (low === undefined || high === undefined || Number(low) > Number(high) || Number(high) > 65_535) {
        return invalid(`${quoted(value)} is no range of ports`, "such as `20000..29999`");
      }
      return parsed({ name, value: [Number(low), Number(high)] });
    }
    case "number":
      return /^\d+(\.\d+)?$/.test(value)
        ? parsed({ name, value: Number(value) })
        : invalid(`${quoted(value)} is not a number`);
  }
}
