// When a changed setting acts: one table, which the apply obeys, and from which plans and the reference are worded.

import type { RestartSettings, Settings } from "./workload";

/** `now`: on what waits and runs. `next_attempt`, `next_run`: what there is keeps the value that it was made with. */
export type Effect = "now" | "next_attempt" | "next_run";

export interface EffectRule {
  readonly effect: Effect;
  /** What follows from a change, for the reference. */
  readonly how: string;
}

const now = (how: string): EffectRule => ({ effect: "now", how });

/** How a change of each setting acts. Every key is here, which the compiler checks. */
export const SETTINGS_EFFECTS = {
  replicas: now("replicas are added or stopped: first those that do not run well, of equal ones the highest number"),
  priority: now("what waits has its new place in the queue; what runs stays"),
  labels: now("they are only shown"),
  stop: now("the next stop obeys it. A stop that was ordered, and the end of a lease, go on as they were"),
  restart: {
    backoff_min_ms: now("the next crash is waited out by it. A wait that has begun ends as it would have"),
    backoff_max_ms: now("the next crash is waited out by it. A wait that has begun ends as it would have"),
    attempts: now("a slot that was given up starts again if it has attempts left now"),
    offline: { effect: "next_attempt", how: "an attempt that runs keeps what its node was granted with it" },
  },
  on_node_loss: now("a node that is silent already is judged by it"),
  on_unknown_end: now("a run that asks already goes on by it"),
  retries: now("failures so far count; a run that has failed stays so"),
  time_limit_ms: now("counted from the start of what runs; one that is over already stops it now"),
  after: { effect: "next_run", how: "a run keeps what it waits for" },
  array: { effect: "next_run", how: "a run keeps the elements that it began with" },
  idle: now("idle time that was counted so far counts; a slot that was left empty is filled again"),
} satisfies {
  readonly [K in keyof Required<Settings>]: K extends "restart"
    ? Readonly<Record<keyof RestartSettings, EffectRule>>
    : EffectRule;
};

/**
 * Returns how a change of a setting acts, or null for a key that this release does not know. `part` is the word after
 * the dot where a key has parts with rules of their own, such as `backoff` of `restart.backoff`.
 */
export function effectOf(key: string, part: string | null): EffectRule | null {
  if (!Object.hasOwn(SETTINGS_EFFECTS, key)) return null;
  const rule: EffectRule | Readonly<Record<string, EffectRule>> = SETTINGS_EFFECTS[key as keyof Settings];
  if (isRule(rule)) return rule;
  return Object.entries(rule).find(([name]) => part !== null && name.startsWith(part))?.[1] ?? null;
}

const isRule = (rule: EffectRule | Readonly<Record<string, EffectRule>>): rule is EffectRule =>
  typeof rule["effect"] === "string";

/** Returns the settings of an open run after those of its job were changed. What acts from the next run stays. */
export function settingsInPlace(before: Settings, next: Settings): Settings {
  const isKept = (key: string): boolean => effectOf(key, null)?.effect === "next_run";
  const changed = Object.entries(next).filter(([key]) => !isKept(key));
  const kept = Object.entries(before).filter(([key]) => isKept(key));
  // A setting that may be missing is kept missing, too.
  return Object.fromEntries([...changed, ...kept]) as unknown as Settings;
}
