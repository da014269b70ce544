// What the flags of an agent's later starts make of its node: what changed is followed, what people set stays.

import { describe, expect, test } from "bun:test";
import type { NodeRow } from "../../../src/core/model/rows-node";
import { afterFlags, asFlagged, droppedFlags, flagsNews } from "../../../src/server/nodes/flags";
import type { Machine } from "../../../src/wire/agent";
import { buildNode } from "../../support/build";
import { machineOf } from "../stage";

const taint = (key: string, value: string, effect: "no_schedule" | "prefer_not" = "no_schedule") => ({
  key,
  value,
  effect,
});
const machine = (part: Partial<Machine>): Machine => machineOf("a", part);
const started = (part: Partial<Machine>): NodeRow => ({ ...buildNode("a"), ...asFlagged(machine(part)) });
const again = (node: NodeRow, part: Partial<Machine>): NodeRow => ({
  ...node,
  ...afterFlags(node, machine(part), null),
});

describe("labels", () => {
  test("follow a flag that changed, came, or went", () => {
    const node = started({ labels: { os: "linux", zone: "a", old: "1" } });
    expect(again(node, { labels: { os: "linux", zone: "b", rack: "7" } }).labels).toEqual({
      os: "linux",
      zone: "b",
      rack: "7",
    });
  });
  test("that people set, changed or removed stay so while the flags are the same", () => {
    const labels = { os: "linux", zone: "a", rack: "7" };
    const node = { ...started({ labels }), labels: { os: "linux", zone: "by hand", team: "vision" } };
    expect(again(node, { labels }).labels).toEqual({ os: "linux", zone: "by hand", team: "vision" });
  });
  test("that people changed outlive the flag, and give way to a new one", () => {
    const node = { ...started({ labels: { zone: "a" } }), labels: { zone: "by hand" } };
    expect(again(node, { labels: {} }).labels).toEqual({ zone: "by hand" });
    expect(again(node, { labels: { zone: "b" } }).labels).toEqual({ zone: "b" });
  });
  test("called like what every object has are labels like others", () => {
    const node = started({ labels: { constructor: "x" } });
    expect(again(node, { labels: {} }).labels).toEqual({});
  });
});

describe("taints", () => {
  test("follow a flag that changed, came, or went", () => {
    const node = started({ taints: [taint("team", "vision"), taint("old", "")] });
    const now = [taint("team", "audio"), taint("new", "", "prefer_not")];
    expect(again(node, { taints: now }).taints).toEqual(now);
  });
  test("that people set or removed stay so while the flags are the same", () => {
    const taints = [taint("team", "vision"), taint("old", "")];
    const node = { ...started({ taints }), taints: [taint("team", "by hand"), taint("fan", "")] };
    expect(again(node, { taints }).taints).toEqual([taint("team", "by hand"), taint("fan", "")]);
  });
  test("of one key and two effects are two", () => {
    const both = [taint("team", "v"), taint("team", "v", "prefer_not")];
    expect(again(started({ taints: both }), { taints: both.slice(1) }).taints).toEqual(both.slice(1));
  });
});

describe("a pool", () => {
  test("follows the flag, and stays where people put the node while the flag is the same", () => {
    const node = started({ pool: "gpu" });
    expect(again(node, { pool: "big" }).pool).toBe("big");
    expect(again({ ...node, pool: "by-hand" }, { pool: "gpu" }).pool).toBe("by-hand");
  });
});

test("a node of before flags were noted takes them as they are now, and keeps what else it has", () => {
  const node = { ...buildNode("a"), labels: { zone: "a", old: "1" }, pool: "gpu", flags: null };
  const after = again(node, { labels: { zone: "b" }, pool: "gpu" });
  expect([after.labels, after.pool]).toEqual([{ zone: "b", old: "1" }, "gpu"]);
  expect(after.flags).toEqual({ pool: "gpu", labels: { zone: "b" }, taints: [] });
});

test("what changed is told in a line", () => {
  const node = started({ labels: { zone: "a" }, taints: [taint("team", "v")], pool: "gpu" });
  expect(flagsNews(node, again(node, { labels: { zone: "a" }, taints: [taint("team", "v")], pool: "gpu" }))).toBeNull();
  expect(flagsNews(node, again(node, { labels: { zone: "b" }, pool: "gpu" }))).toBe(
    "zone=b, no longer zone=a, no longer team=v:no_schedule",
  );
});

describe("what disobeys the grammar of labels", () => {
  const ESC = "\x1b[2J";
  const given = {
    pool: `gpu${ESC}`,
    labels: {
      zone: "a",
      [`k${ESC}`]: "v",
      bad: `v${ESC}`,
      "a b": "v",
      turned: "a\u202eb",
      hidden: "a\u200bb",
      long: "v".repeat(129),
    },
    taints: [taint("team", "v"), taint(`team${ESC}`, "v"), taint("team", "v\nw")],
  };
  const node = buildNode("a");
  test("is left out of the node, and the rest is taken", () => {
    expect(again(node, given)).toMatchObject({
      pool: "default",
      labels: { zone: "a" },
      taints: [taint("team", "v")],
      flags: { pool: "default", labels: { zone: "a" }, taints: [taint("team", "v")] },
    });
  });
  test("is named, without what a terminal would obey", () => {
    const said = droppedFlags(machine(given)) ?? "";
    expect(said).toStartWith('no label by the grammar, and left out: pool "gpu\\u001b[2J", label "k\\u001b[2J"="v"');
    expect(said).toEndWith(" …");
    expect(said).not.toContain("\x1b");
    expect(droppedFlags(machine({ pool: "gpu", labels: { zone: "eu-1", empty: "" }, taints: [] }))).toBeNull();
  });
});
