// Tokens survive copying, and typos are seen before anything is sent.

import { describe, expect, test } from "bun:test";
import { decodeFrame, encodeFrame } from "../../src/wire/tunnel";
import { formatToken, parseToken } from "../../src/wire/token";

const TOKEN = { pin: "ab".repeat(32), id: "0123456789", secret: "c0ffee".repeat(6) + "0000" };

describe("a token", () => {
  const text = formatToken(TOKEN);

  test("is one word that names its kind", () => expect(text).toMatch(/^orch1-[0-9a-z]{96}$/));
  test("gives its parts back", () => expect(parseToken(text)).toEqual(TOKEN));
  test("may come with space around it and in capitals", () =>
    expect(parseToken(` ${text.toUpperCase()}\n`)).toEqual(TOKEN));
  test("with any one letter changed is none", () => {
    for (let at = 6; at < text.length; at++) {
      const other = text[at] === "0" ? "1" : "0";
      expect(parseToken(text.slice(0, at) + other + text.slice(at + 1))).toBeNull();
    }
  });
  test.each([
    "",
    "orch1-",
    "orch2-abc",
    text.slice(0, -1),
    `${text}0`,
    text.replace("orch1-", ""),
    `${text} ${text}`,
    "orch1-ü",
  ])("%p is none", (bad) => expect(parseToken(bad)).toBeNull());
  test("is not made of parts of another length", () => {
    expect(() => formatToken({ ...TOKEN, secret: "short" })).toThrow("secret");
    expect(() => formatToken({ ...TOKEN, pin: "zz".repeat(32) })).toThrow("pin");
  });
});

describe("a frame", () => {
  test("carries a stream's number and its bytes", () => {
    const bytes = new TextEncoder().encode("hello");
    expect(decodeFrame(encodeFrame(4_000_000_000, bytes))).toEqual({ stream: 4_000_000_000, bytes });
  });
  test("keeps its bytes when the socket's buffer is used again", () => {
    const frame = encodeFrame(7, new Uint8Array([1, 2]));
    const { bytes } = decodeFrame(frame);
    frame.fill(0);
    expect([...bytes]).toEqual([1, 2]);
  });
  test("without a whole head belongs to no stream", () => {
    expect(decodeFrame(new Uint8Array(3))).toEqual({ stream: 0, bytes: new Uint8Array(0) });
  });
});
