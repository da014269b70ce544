// A server process in small, for the crash test: commits numbered changes and says each that was acknowledged, until it
// is killed. Started as a program: directory, first number. Up to 16 changes are on their way at once.

import { writeSync } from "node:fs";
import type { Store } from "../../src/store/store";
import { openStore } from "../../src/store/open";

/** The file to start it by. */
export const CRASH_WRITER = import.meta.path;

function open(dir: string): Store {
  const result = openStore({
    dir,
    clock: () => Date.now(),
    host: null,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  });
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  return result.store;
}

/** Commits change after change; each is a row of its own, one more on the counter and a run number. */
async function lane(store: Store, numbers: { next: number }): Promise<void> {
  for (;;) {
    const n = numbers.next++;
    const idempotency = { principal: "alice", key: `change-${n}`, request_hash: String(n) };
    const { value } = await store.commit(
      "alice",
      (draft) => {
        const counter = draft.state.ports.get("counter")?.until_ms ?? 0;
        draft.put([
          { table: "ports", key: `change/${n}`, row: { key: `change/${n}`, until_ms: n, held_by: null } },
          { table: "ports", key: "counter", row: { key: "counter", until_ms: counter + 1, held_by: null } },
        ]);
        return { run: draft.takeRunNumber() };
      },
      idempotency,
    );
    // Nothing may get lost on the way from the acknowledgement to who counts: no buffer between.
    writeSync(1, `${n} ${value.run}\n`);
  }
}

if (import.meta.main) {
  const [dir = "", first = "0"] = process.argv.slice(2);
  const [store, numbers] = [open(dir), { next: Number(first) }];
  await Promise.all(Array.from({ length: 16 }, () => lane(store, numbers)));
}
