// The events that follow from an agent's word, within a budget: what one node or one address says over and over fills
// neither the history nor the disk.

import { cutText } from "../../core/cut";
import { HOUSE_LIMITS } from "../../core/limits";
import { MINUTE_MS, type Ms } from "../../core/units";
import type { Draft } from "../../store/store";

/** For how long a budget is, and how long the text of an event. */
const EVENTS = { within_ms: MINUTE_MS, detail_chars: 1_000 };

/** What the budgets are kept in. */
interface Budgets {
  readonly budgets: Map<string, EventBudget>;
  clock(): Ms;
  say(line: string): void;
}

/** How many budgets are remembered. Nodes are fewer. */
const BUDGETS = 20_000;

export interface EventBudget {
  readonly since_ms: Ms;
  kept: number;
  /** How many events were counted and not kept. */
  beyond: number;
}

/** Returns the draft of a transaction that follows from the word of a node: its events count against the node's. */
export const byNode = (hub: Budgets, node_id: string, draft: Draft): Draft =>
  within(hub, node_id, HOUSE_LIMITS.node_events_a_minute, draft);

/** Returns the draft of a transaction that refuses an agent at this address: its events count against the address's. */
export const bySource = (hub: Budgets, remote: string, draft: Draft): Draft =>
  within(hub, `from ${remote}`, HOUSE_LIMITS.refusals_a_minute, draft);

function within(hub: Budgets, whose: string, most: number, draft: Draft): Draft {
  return {
    ...draft,
    event(row) {
      const budget = budgetOf(hub, whose);
      if (budget.kept < most) {
        budget.kept++;
        draft.event({ ...row, detail: cutText(row.detail, EVENTS.detail_chars) });
      } else if (budget.beyond++ === 0) {
        const detail = `more than ${most} events within a minute: further ones are counted and not kept`;
        hub.say(`${row.object}: ${detail}`);
        draft.event({ ...row, verb: "events_dropped", detail });
      }
    },
  };
}

function budgetOf(hub: Budgets, whose: string): EventBudget {
  const now_ms = hub.clock();
  const before = hub.budgets.get(whose);
  if (before !== undefined && now_ms - before.since_ms < EVENTS.within_ms) return before;
  if (before !== undefined && before.beyond > 0) hub.say(`${before.beyond} events of ${whose} were not kept`);
  if (hub.budgets.size >= BUDGETS) hub.budgets.clear();
  const budget = { since_ms: now_ms, kept: 0, beyond: 0 };
  hub.budgets.set(whose, budget);
  return budget;
}
