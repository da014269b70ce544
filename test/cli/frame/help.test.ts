// Help as it is read on the narrowest usual terminal: every command is in the overview, and no line is cut or broken by
// the terminal.

import { describe, expect, test } from "bun:test";
import { dispatch } from "../../../src/cli/dispatch";
import { TABLE } from "../../../src/cli/table";
import { stage } from "../stage";

const WIDTH = 80;

async function helpOf(...argv: string[]): Promise<string> {
  const one = stage();
  expect(await dispatch([...argv, "--help"], one.host)).toBe(0);
  return one.out();
}

const firstOf = (name: string): string => name.replace(/ .*/, "");

const tooWide = (text: string): string[] => text.split("\n").filter((line) => Bun.stringWidth(line) > WIDTH);

describe("help", () => {
  const names = TABLE.map(({ name }) => name);
  const groups = [...new Set(names.filter((name) => name.includes(" ")).map(firstOf))];

  test.each([...names, ...groups])("of orch %s fits the terminal", async (name) =>
    expect(tooWide(await helpOf(...name.split(" ")))).toEqual([]),
  );
  test("of a group names each of its commands with what it does", async () => {
    for (const { name, about } of TABLE.filter((entry) => entry.name.includes(" ")))
      expect(await helpOf(firstOf(name))).toMatch(new RegExp(`^  ${name} +${about}$`, "m"));
  });
  test("of orch has each command once, in fewer than 60 lines that fit", async () => {
    const text = await helpOf();
    const titles = text.split("\n").flatMap((line) => /^ {2}(\S.*?) {2,}\S/.exec(line)?.[1] ?? []);
    const told = titles.flatMap((title) => {
      const group = /^\S+ (?=\S+, )/.exec(title)?.[0];
      return group === undefined
        ? title.split(", ")
        : title
            .slice(group.length)
            .split(", ")
            .map((verb) => group + verb);
    });
    expect(told.toSorted()).toEqual(names.toSorted());
    expect(text.trimEnd().split("\n").length).toBeLessThan(60);
    expect(tooWide(text)).toEqual([]);
  });
  test("keeps what begins a new topic on a line of its own, and the beginnings of examples", async () => {
    const text = await helpOf("run");
    expect(text).toContain("\nA lost connection never ends the job.");
    expect(text).toContain("\n  orch run -d --time 12h -- ./sweep.sh\n      prints the number;");
    expect(await helpOf("gpus")).toContain("\n  orch gpus --free   what could be had now\n");
  });
});
