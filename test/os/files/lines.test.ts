// A socket of JSON lines: what was sent arrives in its order, whenever in a turn it was sent, also before the end.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { connectLines, listenLines } from "../../../src/os/files/lines";
import { scratchDir } from "../../support/scratch";
import { waitUntil } from "../../support/wait";

test("all that was sent arrives in its order, also what was sent in the turn of the close", async () => {
  const path = join(scratchDir("orch-lines-"), "a.sock");
  const heard: unknown[] = [];
  let isOver = false;
  const server = listenLines(path, () => ({
    message: (message) => void heard.push(message),
    closed: () => (isOver = true),
  }));
  const connected = await connectLines(path, () => ({ message: () => undefined, closed: () => undefined }));
  if (connected.is !== "connected") throw new Error(connected.why);
  const { peer } = connected;
  const sent = Array.from({ length: 60 }, (_, n) => n);
  for (const n of sent) {
    if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (n % 7 === 0) await Promise.resolve();
    peer.send(n);
  }
  peer.close();
  await waitUntil("the end to be seen", () => isOver);
  server.stop();
  expect(heard).toEqual(sent);
});
