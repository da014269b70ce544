// Lines of several logs in the order of their times: none lost, none changed, those of one log in its order.

import { expect, test } from "bun:test";
import { linesOf, mergeByTime } from "../../../src/cli/follow/log-merge";
import { timeText } from "../../../src/wire/log-times";
import { type Dice, diceOf } from "../../support/random";

const decoder = new TextDecoder();
const log = (text: string, dice: Dice): ReturnType<typeof linesOf> =>
  linesOf(async (write) => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      const length = 1 + dice.below(dice.pick([40, 9_000]));
      await write(bytes.subarray(at, at + length));
      at += length;
    }
  });

async function merged(...texts: readonly string[]): Promise<[log: number, line: string][]> {
  const lines: [number, string][] = [];
  const dice = diceOf(7);
  await mergeByTime(
    texts.map((text) => log(text, dice)),
    async (line, at) => void lines.push([at, decoder.decode(line)]),
  );
  return lines;
}

test("the earliest line comes first, and one without a time stays behind its own", async () => {
  const [a, b, c] = [timeText(1_000), timeText(2_000), timeText(3_000)];
  expect(await merged(`${a}one\n more\n${c}three`, `${b}two ü\n${c}four\n`)).toEqual([
    [0, `${a}one\n`],
    [0, " more\n"],
    [1, `${b}two ü\n`],
    [1, `${c}four\n`],
    [0, `${c}three`],
  ]);
  expect(await merged("", `${a}one\n`, "")).toEqual([[1, `${a}one\n`]]);
  expect(await merged("", "")).toEqual([]);
});

test("whatever the logs, each is whole and in its order, and times never fall", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const dice = diceOf(seed);
    const texts = [0, 1, 2].map(() => {
      let time_ms = 0;
      return Array.from({ length: dice.below(30) }, (_, n) => {
        time_ms += dice.below(3);
        return `${timeText(time_ms)}line ${n} ${"x".repeat(dice.pick([0, 5, 200, 200, 200, 70_000]))}\n`;
      }).join("");
    });
    const lines = await merged(...texts);
    expect(texts.map((_, at) => lines.map(([of, line]) => (of === at ? line : "")).join(""))).toEqual(texts);
    const times = lines.map(([, line]) => line.slice(0, 24)).filter((time) => time.endsWith("Z"));
    expect(times).toEqual(times.toSorted());
  }
});

test("a log that breaks off ends the whole, with its error", async () => {
  const broken = linesOf(async (write) => {
    await write(new TextEncoder().encode(`${timeText(5)}last\n`));
    throw new Error("gone");
  });
  const endless = linesOf(async (write) => {
    for (let n = 6; ; n++) await write(new TextEncoder().encode(`${timeText(n)}more\n`));
  });
  expect(mergeByTime([broken, endless], async () => undefined)).rejects.toThrow("gone");
});
