// The small difference of two texts: what goes, what comes, and a little around it; nothing of a change is lost.

import { describe, expect, test } from "bun:test";
import { textDiff } from "../../../src/cli/print/text-diff";
import { diceOf } from "../../support/random";

const MARK = { kept: " ", gone: "-", new: "+", skipped: "…" } as const;
const shown = (before: string, after: string): string[] =>
  textDiff(before, after).map(({ is, text }) => `${MARK[is]}${text}`);

describe("the difference of two texts", () => {
  test("of lines shows two lines around each change", () => {
    const lines = Array.from({ length: 12 }, (_, n) => `l${n}`);
    const after = lines.with(4, "four").toSpliced(9, 1);
    expect(shown(lines.join("\n"), after.join("\n"))).toEqual([
      "…2 lines as before",
      " l2",
      " l3",
      "-l4",
      "+four",
      " l5",
      " l6",
      " l7",
      " l8",
      "-l9",
      " l10",
      " l11",
    ]);
  });
  test("of single lines shows the words that differ", () => {
    expect(shown("train --a 1 --b 2 --lr 0.3 --c 4 --d 5", "train --a 1 --b 2 --lr 0.1 --x --c 4 --d 5")).toEqual([
      "-… 2 --lr 0.3 --c 4 …",
      "+… 2 --lr 0.1 --x --c 4 …",
    ]);
    expect(shown("x", "x y")).toEqual(["-x", "+x y"]);
  });
  test("has every line that goes and every line that comes", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const dice = diceOf(seed);
      const text = (): string[] => Array.from({ length: 2 + dice.below(12) }, () => dice.pick(["a", "b", "c", "d"]));
      const [before, after] = [text(), text()];
      const parts = textDiff(before.join("\n"), after.join("\n"));
      const rebuilt = (own: "gone" | "new"): (string | number)[] =>
        parts.flatMap(({ is, text: said }): (string | number)[] =>
          is === "skipped"
            ? Array<number>(Number.parseInt(said, 10)).fill(0)
            : is === "kept" || is === own
              ? [said]
              : [],
        );
      const same = (whole: readonly string[], part: readonly (string | number)[]): boolean =>
        whole.length === part.length && part.every((line, n) => line === 0 || line === whole[n]);
      expect([seed, same(before, rebuilt("gone")), same(after, rebuilt("new"))]).toEqual([seed, true, true]);
    }
  });
  test("of very long texts stays affordable", () => {
    const lines = (from: number): string => Array.from({ length: 5_000 }, (_, n) => `line ${from + n}`).join("\n");
    expect(textDiff(lines(0), lines(10_000))).toHaveLength(10_000);
  });
});
