// Regular work that decides nothing: keeping watchers' connections alive, and removing old history and inputs.

import { DAY_MS, type Ms } from "../core/units";
import { stayLean } from "../os/process/lean";
import type { Inputs } from "./inputs";
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
  readonly inputs: Inputs;
  readonly longAnswers: LongAnswers;
}

const PRUNE_EVERY_MS: Ms = 60_000;

/** The pause between two pieces of pruning, in which requests are answered. */
const PAUSE_MS: Ms = 50;

/**
 * Starts the timers and returns a function that stops them. `failed` is called with the first error, which ends the
 * upkeep.
 */
export function startUpkeep({ store, watch, inputs, longAnswers }: Kept, failed: (error: unknown) => void): () => void {
  const guarded = (work: () => void) => (): void => {
    try {
      work();
    } catch (error) {
      stop();
      failed(error);
    }
  };
  const prune = guarded(() => {
    inputs.prune();
    const { more } = store.prune(store.now(), KEEP);
    pruning = setTimeout(prune, more ? PAUSE_MS : PRUNE_EVERY_MS);
  });
  let pruning = setTimeout(prune, PRUNE_EVERY_MS);
  const ticking = setInterval(
    guarded(() => {
      watch.tick();
      longAnswers.tick();
    }),
    TICK_MS,
  );
  const stopLean = stayLean();
  function stop(): void {
    stopLean();
    clearTimeout(pruning);
    clearInterval(ticking);
  }
  return stop;
}
