// Words that are shown as typed are read by a shell as they were.

import { expect, test } from "bun:test";
import { shellWord } from "../../src/core/shell";

const WORDS = [
  "plain-1.0",
  "",
  "two words",
  "it's $HOME `here`",
  "\nimport time\nprint('it\\'s')",
  "\t\r\x1b[0m\x017",
  "ü\u0085世",
];

test.each(WORDS)("%j is one word of bash", (word) => {
  const typed = shellWord(word);
  const { stdout } = Bun.spawnSync(["bash", "-c", `printf '%s|' ${typed}`], { env: { LC_ALL: "C.UTF-8" } });
  expect(stdout.toString()).toBe(`${word}|`);
  // It fits on one line, and a terminal obeys nothing of it.
  expect(typed).not.toMatch(/\p{Cc}/u);
});

test("what needs no quotes has none", () => {
  expect(shellWord("--lr=3")).toBe("--lr=3");
  expect(shellWord("two words")).toBe("'two words'");
  expect(shellWord("a\nb")).toBe("$'a\\nb'");
});
