// Virtual time: a heap of events. Nothing in the simulator waits for a real clock, and events of the same time run in
// the order in which they were added, so a world is one sequence.

export interface Schedule {
  readonly now_ms: number;
  /** How many events have happened. */
  readonly ticks: number;
  at(at_ms: number, what: () => void | Promise<void>): void;
  in(delay_ms: number, what: () => void | Promise<void>): void;
  /** Runs the next event. Returns false if there is none before `until_ms`. */
  step(until_ms: number): boolean | Promise<boolean>;
}

interface Entry {
  readonly at_ms: number;
  readonly order: number;
  readonly what: () => void | Promise<void>;
}

const before = (a: Entry, b: Entry): boolean => a.at_ms < b.at_ms || (a.at_ms === b.at_ms && a.order < b.order);

function push(heap: Entry[], entry: Entry): void {
  let i = heap.push(entry) - 1;
  while (i > 0) {
    const up = (i - 1) >> 1;
    if (!before(entry, heap[up]!)) break;
    heap[i] = heap[up]!;
    i = up;
  }
  heap[i] = entry;
}

function pop(heap: Entry[]): Entry {
  const top = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}

export function makeSchedule(): Schedule {
  const heap: Entry[] = [];
  let now_ms = 0,
    order = 0,
    ticks = 0;
  const at = (at_ms: number, what: Entry["what"]): void =>
    push(heap, { at_ms: Math.max(at_ms, now_ms), order: order++, what });
  return {
    get now_ms() {
      return now_ms;
    },
    get ticks() {
      return ticks;
    },
    at,
    in: (delay_ms, what) => at(now_ms + delay_ms, what),
    step: (until_ms) => {
      const first = heap[0];
      if (first === undefined || first.at_ms > until_ms) {
        now_ms = until_ms;
        return false;
      }
      const entry = pop(heap);
      now_ms = entry.at_ms;
      ticks++;
      const waiting = entry.what();
      return waiting instanceof Promise ? waiting.then(() => true) : true;
    },
  };
}
