// Requests for changes are read a few at a time, so that who only reads does not wait for all of them.

import { expect, test } from "bun:test";
import { makeStage } from "../stage";

const MANY = 40;

test("of many changes that come at the same time a few are read in a turn of the event loop", async () => {
  const { app, tokens, close } = await makeStage();
  let read = 0;
  const body = (): ReadableStream<Uint8Array> =>
    new ReadableStream(
      {
        pull(controller) {
          read++;
          controller.enqueue(new TextEncoder().encode("{}"));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
  const headers = { authorization: `Bearer ${tokens["alice"]}`, "content-type": "application/json" };
  const asked = Array.from({ length: MANY }, () =>
    Promise.resolve(app.request("http://127.0.0.1:4400/v1/runs", { method: "POST", headers, body: body() })),
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(read).toBeLessThan(MANY / 2);
  const answers = await Promise.all(asked);
  expect([read, new Set(answers.map(({ status }) => status))]).toEqual([MANY, new Set([400])]);
  await close();
});
