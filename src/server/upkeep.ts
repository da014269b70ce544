// Regular work that decides nothing: keeping watchers' connections alive, and removing old history.

import { DAY_MS, type Ms } from "../core/units";
import type { LongAnswers } from "./http/long-answers";
import type { Retention, Store } from "../store/store";
import { TICK_MS, type Watch } from "./watch";

const KEEP: Retention = {
  ended_age_ms: 30 * DAY_MS,
  ended_tasks: 200_000,
  ended_runs: 200_000,
  events_age_ms: 90 * DAY_MS,
  events: 500_000,
  node_tests: 50,
  versions: 1_000,
};
interface Kept {
  readonly store: Store;
  readonly watch: Watch;
  readonly longAnswers: LongAnswers;
}

const PRUNE_EVERY_MS: Ms = 60_000;

/**
 * Starts the timers and returns a function that stops them. `failed` is called with the first error, which ends the
 * upkeep.
 */
export function startUpkeep({ store, watch, longAnswers }: Kept, failed: (error: unknown) => void): () => void {
  let more: ReturnType<typeof setImmediate> | null = null;
  const guarded = (work: () => void) => (): void => {
    try {
      work();
    } catch (error) {
      stop();
      failed(error);
    }
  };
  const prune = guarded(() => {
    // Pruning goes in pieces, so that requests are answered between two of them.
    more = store.prune(store.now(), KEEP).more ? setImmediate(prune) : null;
  });
  const timers = [
    setInterval(
      guarded(() => {
        watch.tick();
        longAnswers.tick();
      }),
      TICK_MS,
    ),
    setInterval(prune, PRUNE_EVERY_MS),
  ];
  function stop(): void {
    for (const timer of timers) clearInterval(timer);
    if (more !== null) clearImmediate(more);
  }
  return stop;
}
