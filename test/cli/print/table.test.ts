// Tables at every width: no line is longer than the terminal, no reason is lost, and off a terminal nothing is changed.

import { describe, expect, test } from "bun:test";
import { FEW, fold, foldedName, namesText, summary, byName } from "../../../src/cli/print/fold";
import { listing } from "../../../src/cli/print/listing";
import { style } from "../../../src/cli/print/color";
import { table, type Column } from "../../../src/cli/print/table";
import { cut, hang, sentence, wrap } from "../../../src/cli/print/wrap";
import { type Dice, diceOf } from "../../support/random";

type Row = readonly string[];
const cell = (n: number) => (row: Row) => row[n] ?? "";

const ALPHABET = ["a", "b", "7", ".", "-", "ü", "世", "🚀", "👩‍🚀", "é", " ", " "];
const word = (dice: Dice, most: number): string =>
  Array.from({ length: dice.below(most + 1) }, () => dice.pick(ALPHABET)).join("");

const GIVES: readonly Column<Row>["gives"][] = [
  undefined,
  [[1, 8]],
  [[2, 0]],
  [[3, "below"]],
  [
    [1, 12],
    [4, 0],
  ],
  [
    [2, 10],
    [5, "below"],
  ],
];

/** Columns of every kind: that are cut, that go out, that go below, that state nothing, and prose behind. */
function randomColumns(dice: Dice): Column<Row>[] {
  const gives = (): Column<Row>["gives"] => dice.pick(GIVES);
  const plain = Array.from({ length: 1 + dice.below(10) }, (_, n): Column<Row> => {
    const turns = gives();
    return {
      title: `C${n}`,
      ...(dice.chance(0.3) ? { align: "right" as const } : {}),
      ...(dice.chance(0.3) ? { cut: "middle" as const } : {}),
      ...(turns === undefined ? {} : { gives: turns }),
      cell: cell(n),
    };
  });
  return [...plain, { title: "WHY", prose: true, cell: cell(plain.length) }];
}

const bare = (text: string): string => text.replaceAll(/\s/g, "");

describe("a table on a terminal", () => {
  test("of whatever rows, columns and width has no line that is too long, and loses no reason", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const dice = diceOf(seed);
      const columns = randomColumns(dice);
      const rows = Array.from({ length: 1 + dice.below(6) }, () =>
        columns.map(() => word(dice, dice.pick([4, 20, 120]))),
      );
      const width = 60 + dice.below(141);
      const lines = table(columns, rows, width);
      const longest = Math.max(...lines.map((line) => Bun.stringWidth(line)));
      expect({ seed, fits: longest <= width }).toEqual({ seed, fits: true });
      const text = bare(lines.join(""));
      const lost = rows.map((row) => row.at(-1) ?? "").filter((why) => !text.includes(bare(why)));
      expect({ seed, lost }).toEqual({ seed, lost: [] });
    }
  });

  const columns: Column<Row>[] = [
    { title: "NAME", cut: "middle", gives: [[2, 10]], cell: cell(0) },
    { title: "USER", gives: [[3, 0]], cell: cell(1) },
    { title: "PORTS", gives: [[1, "below"]], cell: cell(2) },
    { title: "WHY", prose: true, cell: cell(3) },
  ];
  const row = ["web.frontend.12", "alice", "http:20001", "no card with 24GB"];

  test("says once what is the same of rows that follow each other", () => {
    const rows = ["web.0", "web.1", "web.2"].map((name) => [name, "alice", "", "no card with 24GB of memory"]);
    const other = ["web.3", "alice", "", "no card with 48GB of memory"];
    expect(table(columns, [...rows, other], 30)).toEqual([
      "NAME   USER",
      "web.0  alice",
      "web.1  alice",
      "web.2  alice",
      "    these 3: no card with 24GB",
      "    of memory",
      "web.3  alice",
      "    no card with 48GB of",
      "    memory",
    ]);
  });

  test("gives way in the stated order, and the reason comes last", () => {
    const at = (width: number): string[] => table(columns, [row], width);
    expect(at(60)).toEqual([
      "NAME             USER   PORTS       WHY",
      "web.frontend.12  alice  http:20001  no card with 24GB",
    ]);
    expect(at(40)).toEqual([
      "NAME             USER   PORTS",
      "web.frontend.12  alice  http:20001",
      "    no card with 24GB",
    ]);
    expect(at(30)).toEqual([
      "NAME             USER",
      "web.frontend.12  alice",
      "    ports: http:20001",
      "    no card with 24GB",
    ]);
    expect(at(20)).toEqual([
      "NAME           USER",
      "web.fr…end.12  alice",
      "    ports:",
      "      http:20001",
      "    no card with",
      "    24GB",
    ]);
    expect(at(12)[1]).toBe("web.…nd.12");
  });
  test("is whole off a terminal: one row is one line", () => {
    expect(table(columns, [row, ["x".repeat(300), "", "", "y".repeat(300)]])[2]).toEndWith(`  ${"y".repeat(300)}`);
  });
});

describe("equal rows", () => {
  const columns: Column<Row>[] = [
    { title: "NAME", cell: cell(0), folded: (rows) => foldedName([rows[0][0] ?? "", ...rows.slice(1).map(cell(0))]) },
    { title: "STATE", cell: cell(1), folded: (rows) => `${rows.length} ${rows[0][1]}` },
    { title: "WHY", prose: true, cell: cell(2) },
  ];
  const waiting = Array.from({ length: 36 }, (_, n) => [`web.${12 + n}`, "pending", "waits for memory"]);
  const rows = [...Array.from({ length: 12 }, (_, n) => [`web.${n}`, "running", ""]), ...waiting];
  const more = { folding: byName<Row>(cell(0)), summary: (all: readonly Row[]) => summary("tasks", all.map(cell(1))) };
  const lines = (all: readonly Row[], width: number | null): string[] =>
    listing({ columns, ...more }, all, width, style(false));

  test("are one on a terminal, and a long list ends with its summary", () => {
    expect(lines(rows, 80)).toEqual([
      "NAME         STATE       WHY",
      "web.0 … 11   12 running",
      "web.12 … 47  36 pending  waits for memory",
      "48 tasks: 36 pending, 12 running",
    ]);
  });
  test("are all there off a terminal, without a summary", () => expect(lines(rows, null)).toHaveLength(49));
  test("stay apart where a slot is missing, a cell differs, or they are few", () => {
    const gap = waiting.filter((_, n) => n !== 6);
    expect(
      lines(gap, 80)
        .slice(1, 3)
        .map((line) => line.split("  ")[0]),
    ).toEqual(["web.12 … 17", "web.19 … 47"]);
    const odd = waiting.with(6, ["web.18", "pending", "waits for a card"]);
    expect(lines(odd, 80)).toHaveLength(1 + 3 + 1);
    expect(lines(waiting.slice(0, 2), 80)).toHaveLength(2);
    const few = { ...byName<Row>(cell(0)), least: () => FEW };
    expect(fold(waiting.slice(0, 4), few, () => "")).toHaveLength(4);
    expect(fold(waiting.slice(0, 5), few, () => "")).toHaveLength(1);
  });
  test("of different workloads stay apart", () => {
    const names = ["a.0", "a.1", "b.2", "b.3", "b.4#2", "plain"];
    const groups = fold(
      names,
      byName((name) => name),
      () => "",
    );
    expect(groups.map((group) => group.join())).toEqual(["a.0,a.1", "b.2,b.3", "b.4#2", "plain"]);
  });
});

describe("names", () => {
  test.each([
    [["box3"], "box3"],
    [["box4", "box3"], "box3, box4"],
    [["box10", "box8", "box9", "spot"], "box8 … box10, spot"],
    [["n1", "n2", "n3", "n5", "n6", "m7"], "m7, n1 … n3, n5, n6"],
    [["a01", "a02", "a03"], "a01 … a03"],
    [["a", "c", "e", "g", "i", "k", "m", "o", "q", "s"], "a, c, e, g, i, k, m, o and 2 more"],
  ])("%p are written %p", (names, text) => expect(namesText(names)).toBe(text));
});

describe("texts", () => {
  test("are cut at letters, at their end or in their middle", () => {
    expect(cut("recs.a-very-long-name.12", 12)).toBe("recs.a-very…");
    expect(cut("recs.a-very-long-name.12", 12, "middle")).toBe("recs.…ame.12");
    expect(cut("世界世界", 5)).toBe("世界…");
    expect(cut("👩‍🚀👩‍🚀👩‍🚀", 3)).toBe("👩‍🚀…");
  });
  test("are broken at words, and a long word where it must be", () => {
    expect(wrap("one two three four five six", 22, "  ")).toEqual(["  one two three four", "  five six"]);
    expect(wrap("x".repeat(45), 20)).toEqual(["x".repeat(20), "x".repeat(20), "x".repeat(5)]);
    expect(hang("a: one two three four five six", 24, "   ")).toEqual(["a: one two three four", "   five six"]);
    expect(wrap("    indented text stays so", 20)).toEqual(["    indented text", "stays so"]);
    expect(wrap("x".repeat(300), null)).toEqual(["x".repeat(300)]);
  });
  test("that are sentences end their lines between words, and keep what is to be copied", () => {
    expect(sentence("orch: one two three four", 20)).toEqual(["orch: one two", "    three four"]);
    expect(sentence("  one two three four", 19)).toEqual(["  one two three", "      four"]);
    expect(sentence(`token: ${"x".repeat(45)} it`, 20)).toEqual(["token:", `    ${"x".repeat(45)}`, "    it"]);
    expect(sentence("x ".repeat(150), null)).toEqual(["x ".repeat(150)]);
  });
});
