// What is not JSON is told with its place; what is too deep is never built.

import { describe, expect, test } from "bun:test";
import { parseJson, readUtf8 } from "../../../src/server/http/json";

describe("JSON", () => {
  const good = [
    "{}",
    "[]",
    "0",
    "-1.5e+3",
    '"a\\u00e9\\n"',
    "null",
    ' { "a" : [ 1 , { "b" : [] } , "c" ] } ',
    '{"a":{}}',
    "[[],[[]]]",
  ];
  test.each(good)("%s is what JSON.parse says", (text) =>
    expect(parseJson(text, 8)).toEqual({ is: "json", value: JSON.parse(text) }),
  );

  const bad: readonly (readonly [string, number, number, string])[] = [
    ["", 1, 1, "ends where a value"],
    ['{"a":1', 1, 7, "ends where a comma or }"],
    ['{"a":1,}', 1, 8, "a key in double quotes"],
    ["{a:1}", 1, 2, "a key in double quotes"],
    ['{"a" 1}', 1, 6, "a colon"],
    ["[1 2]", 1, 4, "a comma or ]"],
    ["[1,]", 1, 4, "a value"],
    ["nul", 1, 1, "a value"],
    ["01", 1, 2, "the end"],
    ["{}\n{}", 2, 1, "the end"],
    ['{"a":\n  tru}', 2, 3, "a value"],
    ['"a\nb"', 1, 1, "a value"],
    ['"\\x"', 1, 1, "a value"],
    ["[".repeat(9), 1, 9, "deeper than 8"],
  ];
  test.each(bad)("%p is refused at %i:%i", (text, line, column, message) => {
    expect(parseJson(text, 8)).toMatchObject({
      is: "invalid",
      line,
      column,
      message: expect.stringContaining(message),
    });
  });
  test("two hundred thousand levels cost nothing", () => {
    expect(parseJson("[".repeat(200_000), 64)).toMatchObject({ is: "invalid", column: 65 });
  });
  test("agrees with JSON.parse on texts with one character changed", () => {
    const text = '{"a":[1,-2.5e3,true,null,"x\\n"],"b":{"c":""}}';
    for (let at = 0; at < text.length; at++) {
      for (const other of ['"', "{", "]", ",", "0", " ", "\\", "e"]) {
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        let valid = true;
        try {
          JSON.parse(changed);
        } catch (error) {
          valid = !(error instanceof SyntaxError);
        }
        expect({ changed, is: parseJson(changed, 64).is }).toEqual({ changed, is: valid ? "json" : "invalid" });
      }
    }
  });
});

describe("UTF-8", () => {
  test("is decoded", () => expect(readUtf8(new TextEncoder().encode("é€😀"))).toEqual({ is: "text", text: "é€😀" }));
  test("is refused at its first bad byte", () => {
    expect(readUtf8(new Uint8Array([0x61, 0x62, 0xff, 0x63]))).toEqual({ is: "invalid", at: 2 });
    expect(readUtf8(new Uint8Array([0xc3]))).toEqual({ is: "invalid", at: 0 });
  });
});
