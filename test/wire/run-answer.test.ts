// The answer to a new run is read by hand in `orch run`, exactly as its schema reads it.

import { expect, test } from "bun:test";
import { readRunAnswer } from "../../src/wire/api/run-answer";
import { runAnswer } from "../../src/wire/api/runs";
import { fromText } from "../../src/wire/text";
import { diceOf } from "../support/random";

const WHOLE = { run: 7, name: "sweep", state: "queued", nodes: ["box1"] };
const STRANGE = [null, undefined, 1.5, -1, "7", "", [], ["a", 1], {}, true, 2 ** 60, Number.NaN];

test("the hand and the schema read the same from any text", () => {
  const texts = ["", "{", "null", "[]", "7", '"x"', JSON.stringify(WHOLE), JSON.stringify({ ...WHOLE, more: 1 })];
  const dice = diceOf(7);
  for (let n = 0; n < 2_000; n++) {
    const fields = Object.entries(WHOLE).map(([key, value]) => [key, dice.chance(0.3) ? dice.pick(STRANGE) : value]);
    texts.push(JSON.stringify(Object.fromEntries(fields)));
  }
  let read = 0;
  for (const text of texts) {
    const [byHand, bySchema] = [readRunAnswer(text), fromText(runAnswer, text)];
    expect([text, byHand.is]).toEqual([text, bySchema.is]);
    expect(byHand.is === "read" ? byHand.value : null).toEqual(bySchema.is === "read" ? bySchema.value : null);
    if (byHand.is === "read") read++;
  }
  expect(read).toBeGreaterThan(100);
});
