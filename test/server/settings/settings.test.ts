// What a server is set to: defaults, then the file of its data directory, then flags; what is not known is refused with
// the file's name.

import { describe, expect, test } from "bun:test";
import { settingsFrom, type ServerSettings } from "../../../src/server/settings/settings";

const settings = (text: string | null, listen: string | null = null): ServerSettings =>
  settingsFrom(text, "/data/settings.yaml", { settle_ms: 5 }, ["flag"], listen);

describe("a server's settings", () => {
  test("are the defaults without a file", () => {
    const { listen, hosts } = settings(null);
    expect([listen.host, listen.port, hosts]).toEqual(["127.0.0.1", 4400, ["flag"]]);
  });
  test("are the file's, in the names of the flags, and flags win", () => {
    const text = "listen: 0.0.0.0:1\nhost: [box1, box1.lab]\nreplace_after: 7s\nsettle: 9s\nport_range: 3000..4000\n";
    const { listen, hosts, limits } = settings(text);
    expect([listen.port, listen.wildcard, hosts]).toEqual([1, true, ["flag", "box1", "box1.lab"]]);
    expect([limits.replace_after_ms, limits.settle_ms, limits.port_range]).toEqual([7_000, 5, [3000, 4000]]);
    expect(settings(text, "127.0.0.1:2").listen.port).toBe(2);
    expect(settings("host: box1").hosts).toEqual(["flag", "box1"]);
  });
  test("take findings as operators judge them", () => {
    expect(settings("findings: { xid 63: stop, XID 79: watch }").findings).toEqual({
      "xid 63": "stop",
      "xid 79": "watch",
    });
    expect(settings(null).findings).toEqual({});
  });
  test("take operators' tests of nodes", () => {
    const text = `node_tests:
  - { name: dcgm, command: [dcgmi, diag, -r, 1], timeout: 30m, pool: gpu }
  - { name: scratch, run: test -w /scratch, required: false }
  - { name: dcgm, run: "true", pool: cpu }
`;
    expect(settings(text).node_tests).toEqual([
      { name: "dcgm", argv: ["dcgmi", "diag", "-r", "1"], timeout_ms: 1_800_000, required: true, pool: "gpu" },
      {
        name: "scratch",
        argv: ["/bin/sh", "-c", "test -w /scratch"],
        timeout_ms: 600_000,
        required: false,
        pool: null,
      },
      { name: "dcgm", argv: ["/bin/sh", "-c", "true"], timeout_ms: 600_000, required: true, pool: "cpu" },
    ]);
    expect(settings(null).node_tests).toEqual([]);
  });
  const WRONG: readonly (readonly [text: string, message: string])[] = [
    ["listn: 0.0.0.0:1", "listn is no setting"],
    ["listen: everywhere", '"everywhere" is not an address to listen on'],
    ["host: [1]", "host is no name"],
    ["replace_after: soon", "replace_after_ms is not a duration"],
    ["list: [", "is not YAML"],
    ["text", "is not a map of settings"],
    ["findings: [xid 63]", "findings is not a map"],
    ["findings: { xid: watch }", "findings: xid is no finding"],
    ["findings: { xid 63: bad }", "findings: xid 63: bad is no class"],
    ["node_tests: dcgm", "node_tests is not a list"],
    ["node_tests: [dcgm]", "node_tests [0] is not a map"],
    ["node_tests: [{ name: Big, run: x }]", "node_tests [0] has no name of small letters"],
    ["node_tests: [{ name: cpu, run: x }]", "node_tests [0] is called cpu, as a built-in test is"],
    ["node_tests: [{ name: a }]", "node_tests [0] needs one of `command`"],
    ["node_tests: [{ name: a, run: x, command: [x] }]", "node_tests [0] needs one of `command`"],
    ["node_tests: [{ name: a, command: x }]", "node_tests [0] has a `command` that is not a list"],
    ["node_tests: [{ name: a, command: [] }]", "node_tests [0] has a `command` that is not a list"],
    ["node_tests: [{ name: a, run: x, timeout: soon }]", "node_tests [0] has a `timeout` that is not a duration"],
    ["node_tests: [{ name: a, run: x, requird: false }]", "node_tests [0] has no key requird"],
    ["node_tests: [{ name: a, run: x, required: maybe }]", "node_tests [0] has a `required` that is not true or false"],
    ["node_tests: [{ name: a, run: x }, { name: a, run: y, pool: b }]", "node_tests names a twice for one pool"],
    ["unreachable_after: 10s\nlost_after: 5s", "lost_after is shorter than unreachable_after"],
    ["grant_attempts: 65", "grant_attempts is more than 64"],
  ];
  for (const [text, message] of WRONG) {
    test(`"${text}" is refused`, () => expect(() => settings(text)).toThrow(message));
  }
});
