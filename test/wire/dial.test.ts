// Which address is dialled, and through which proxy: what is near is never another machine's matter.

import { describe, expect, test } from "bun:test";
import { overTls, proxyOf, type Proxy } from "../../src/wire/dial";

const PROXY = "http://user:pass@proxy.lab:3128";
const through: Proxy = { url: `${PROXY}/`, respectNoProxy: false };

describe("an address", () => {
  test.each([
    ["http://127.0.0.1:4400", "https://127.0.0.1:4400"],
    ["http://localhost", "https://localhost:80"],
    ["http://[::1]:1", "https://[::1]:1"],
    ["https://box1:4400", "https://box1:4400"],
    ["no address", "no address"],
  ])("that was stored as %s is read as %s", (stored, read) => expect(overTls(stored)).toBe(read));
});

describe("a proxy", () => {
  test.each([
    ["https://box1:4400", through],
    ["https://10.0.0.1:4400", through],
    ["https://[fd00::1]:4400", through],
    ["https://127.0.0.1:4400", false],
    ["https://127.8.9.1:4400", false],
    ["https://localhost:4400", false],
    ["https://orch.localhost:4400", false],
    ["https://[::1]:4400", false],
    ["http://169.254.169.254/latest", false],
    ["https://[fe80::1]:4400", false],
  ] as const)("for %s", (address, proxy) => expect(proxyOf(address, PROXY)).toEqual(proxy));
  test("is none unless one is named", () => {
    for (const none of [undefined, ""]) expect(proxyOf("https://box1", none)).toBe(false);
  });
  test.each(["proxy.lab:3128", "socks5://proxy.lab", "https://proxy.lab", "http://proxy.lab/path", "http://"])(
    "is not %s",
    (setting) => expect(() => proxyOf("https://box1", setting)).toThrow("ORCH_PROXY is not the address of a proxy"),
  );
});
