// What nodes were asked and have said: asked once, again when it is old, taken in only if asked, and waited for no
// longer than one wants to.

import { expect, test } from "bun:test";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import { needKey, type Need, type Presence } from "../../../src/core/pass/presence";
import { createPresences } from "../../../src/server/facts/presence";

const need = (path: string | null): Need => ({ account: "alice", path });
const X = need("/x");

function stage() {
  const clock = { ms: 1_000 };
  const record = createPresences(() => clock.ms);
  const asked: Need[][] = [];
  record.connected("n1", (needs) => asked.push([...needs]));
  const say = (state: Presence, of = X): boolean => record.take("n1", [{ ...of, state }]);
  const fact = (of = X) => record.facts().get("n1")?.get(needKey(of));
  return { clock, record, asked, say, fact };
}

test("a node is asked once for what the plan needs, and its answer is a fact", () => {
  const { clock, record, asked, say, fact } = stage();
  expect(fact()).toBeUndefined();
  record.want([X]);
  record.want([X]);
  expect(asked).toEqual([[X]]);
  clock.ms += 3_000;
  expect(fact()).toEqual({ is: "asked", for_ms: 3_000 });
  expect([say("missing"), say("missing")]).toEqual([true, false]);
  expect(fact()).toEqual({ is: "missing" });
  record.want([X]);
  expect(asked).toHaveLength(1);
});

test("what is lacking is asked for again soon, what is there late, and neither once nobody needs it", () => {
  const { clock, record, asked, say, fact } = stage();
  record.want([X]);
  say("missing");
  record.again("n1");
  expect(asked).toHaveLength(1);
  clock.ms += 5_000;
  record.again("n1");
  expect(asked).toHaveLength(2);
  expect(fact()).toEqual({ is: "missing" });
  say("there");
  clock.ms += 30_000;
  record.again("n1");
  expect(asked).toHaveLength(2);
  clock.ms += 30_000;
  record.again("n1");
  expect(asked).toHaveLength(3);
  say("there");
  record.want([]);
  clock.ms += 600_000;
  record.again("n1");
  expect(asked).toHaveLength(3);
});

test("a question that is not answered is asked again, and its age goes on", () => {
  const { clock, record, asked, fact } = stage();
  record.want([X]);
  clock.ms += 30_000;
  record.again("n1");
  expect(asked).toHaveLength(2);
  expect(fact()).toEqual({ is: "asked", for_ms: 30_000 });
});

test("an answer to what was not asked is dropped, and a node that is gone says nothing", () => {
  const { record, say } = stage();
  expect(say("there", need("/else"))).toBe(false);
  expect(record.facts().get("n1")?.size).toBe(0);
  record.gone("n1");
  expect(record.facts().size).toBe(0);
  expect(say("there")).toBe(false);
});

test("whoever asks waits for the answers of all nodes, or until its time is over", async () => {
  const { record, asked, say } = stage();
  const other: Need[][] = [];
  record.connected("n2", (needs) => other.push([...needs]));
  const answered = record.ask([X], 60_000);
  expect([asked.length, other.length]).toEqual([1, 1]);
  say("there");
  record.take("n2", [{ ...X, state: "missing" }]);
  await answered;
  await record.ask([X], 60_000);
  expect(asked).toHaveLength(1);
  await record.ask([need("/never")], 1);
  const waits = record.ask([need("/gone")], 60_000);
  say("there", need("/gone"));
  record.gone("n2");
  await waits;
});

test("a directory that was lacking a second ago is looked for again by whoever asks", async () => {
  const { clock, record, asked, say } = stage();
  record.want([X]);
  say("missing");
  clock.ms += 1_000;
  const waits = record.ask([X], 60_000);
  expect(asked).toHaveLength(2);
  say("there");
  await waits;
});

test("what is kept of a node is bounded", async () => {
  const { record, fact } = stage();
  record.want([X]);
  record.take("n1", [{ ...X, state: "there" }]);
  for (let n = 0; n < 4; n++) {
    const many = Array.from({ length: HOUSE_LIMITS.needs }, (_, at) => need(`/${n}/${at}`));
    const waits = record.ask(many, 60_000);
    record.take(
      "n1",
      many.map((one) => ({ ...one, state: "there" })),
    );
    await waits;
  }
  expect(record.facts().get("n1")!.size).toBeLessThanOrEqual(3 * HOUSE_LIMITS.needs);
  expect(fact()).toEqual({ is: "there" });
});
