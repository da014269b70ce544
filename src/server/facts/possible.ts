// Which requests some node could run, as was found out a moment ago. Scripts submit a thousand runs that are alike, and
// to plan each of them on an empty cluster would take longer than all the rest of it.

import type { Ms } from "../../core/units";
import type { Store } from "../../store/store";

export interface Possible {
  /** Returns whether the request was found possible, and nothing has changed by which it could be impossible now. */
  isKnown(request: string): boolean;
  note(request: string): void;
}

/** What nodes say of directories and accounts changes without a commit. It counts for new requests after this time. */
const KNOWN_MS = 1_000;
const MOST = 1_000;

export function createPossible(store: Pick<Store, "onCommit">, monotonic: () => Ms): Possible {
  const known = new Map<string, Ms>();
  store.onCommit((_revision, changes) => {
    if (known.size > 0 && changes.some(({ table }) => table === "nodes" || table === "users")) known.clear();
  });
  return {
    isKnown(request) {
      const since_ms = known.get(request);
      return since_ms !== undefined && monotonic() - since_ms < KNOWN_MS;
    },
    note(request) {
      if (known.size >= MOST) known.clear();
      known.set(request, monotonic());
    },
  };
}
