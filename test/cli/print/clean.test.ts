// Text of tasks and other users on a terminal: what could move the cursor, set titles or disguise must be gone.

import { describe, expect, test } from "bun:test";
import { clean, cleanLines, logCleaner } from "../../../src/cli/print/clean";

const ATTACKS: readonly (readonly [name: string, text: string, shown: string])[] = [
  ["clears the screen", "a\x1b[2Jb", "ab"],
  ["moves the cursor up and rewrites a line", "ok\x1b[1A\x1b[2Kroot", "okroot"],
  ["sets the window's title", "a\x1b]0;owned\x07b", "ab"],
  ["writes the clipboard", "a\x1b]52;c;aGk=\x1b\\b", "ab"],
  ["links elsewhere than it says", "\x1b]8;;http://evil\x1b\\bank\x1b]8;;\x1b\\", "bank"],
  ["asks the terminal for an answer", "a\x1b[6nb\x1b[cc", "abc"],
  ["sends a device control string", 'a\x1bP$q"p\x1b\\b', "ab"],
  ["uses a privacy message", "a\x1b^hidden\x1b\\b", "ab"],
  ["resets the terminal", "a\x1bcb", "ab"],
  ["switches the character set", "a\x1b(0b", "ab"],
  ["uses one-byte C1 controls", "a\u009b2Jb\u009d0;t\u009cc", "a2Jb0;tc"],
  ["turns the text around", "exe\u202etxt.\u2066x\u2069", "exetxt.x"],
  ["rings and deletes", "a\x07\x08\x7fb", "ab"],
  ["ends in half a sequence", "a\x1b[3", "a[3"],
  ["ends in an escape", "a\x1b", "a"],
  ["colours", "\x1b[31mred\x1b[0m", "red"],
];

describe("a cell", () => {
  for (const [name, text, shown] of ATTACKS) test(`is harmless when it ${name}`, () => expect(clean(text)).toBe(shown));

  test("stays on one line", () => expect(clean("a\r\nb\tc\nd")).toBe("a b c d"));
  test("keeps letters of every script", () => expect(clean("héllo 世界 🚀 שלום")).toBe("héllo 世界 🚀 שלום"));
  test("of several lines keeps its lines, and tabs become blanks", () =>
    expect(cleanLines("a\r\n\tb\x1b[1m\rc")).toBe("a\n    b\nc"));
});

describe("a task's output", () => {
  const through = (...chunks: string[]): string => {
    const cleaner = logCleaner();
    return chunks.map(cleaner).join("") + cleaner(null);
  };

  test("keeps colours and puts them out at its end", () =>
    expect(through("a \x1b[1;31mred\x1b[39m b\n")).toBe("a \x1b[1;31mred\x1b[39m b\n\x1b[0m"));
  test("keeps carriage returns, line breaks and tabs", () =>
    expect(through("10%\r20%\r\n\tx\n")).toBe("10%\r20%\r\n\tx\n"));

  for (const [name, text, shown] of ATTACKS.filter(([one]) => one !== "colours")) {
    test(`is harmless when it ${name}`, () => expect(through(text)).toBe(shown));
    test(`is harmless when it ${name}, byte by byte`, () => {
      const said = through(...text);
      expect(said).toBe(shown);
    });
  }

  test("keeps a colour that is cut in two", () => expect(through("a\x1b[3", "1mb")).toBe("a\x1b[31mb\x1b[0m"));
  test("does not hold back a sequence that never ends", () => {
    const flood = `\x1b]0;${"x".repeat(2000)}`;
    const cleaner = logCleaner();
    expect(cleaner(flood)).toBe(`]0;${"x".repeat(2000)}`);
  });
});
