// When each agent was last heard, and when its last long silence began.

import { expect, test } from "bun:test";
import { createListening } from "../../../src/server/facts/listening";
import { waitUntil } from "../../support/wait";

test("a silence that was long enough is remembered with its beginning, and a shorter one is not", async () => {
  let now = 0;
  const listening = createListening(() => now, 1_000);
  const of = () => listening.contacts().get("a");
  const pass = async (ms: number): Promise<void> => {
    const until = listening.listening_ms() + ms;
    now += ms;
    await waitUntil("the listening clock to go on", () => listening.listening_ms() >= until);
  };
  listening.heard("a", 0);
  await pass(900);
  listening.heard("a", 0);
  expect(of()).toEqual({ connected: true, silent_ms: 0 });
  await pass(1_000);
  expect(of()).toEqual({ connected: true, silent_ms: 1_000 });
  listening.heard("a", 0);
  await pass(300);
  listening.heard("a", 0);
  listening.gone("a");
  expect(of()).toEqual({ connected: false, silent_ms: 0, fell_ms: 1_300 });
  listening.stop();
});
