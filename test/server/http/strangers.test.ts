// Who makes way when too many connections have yet to prove who they are.

import { beforeEach, expect, test } from "bun:test";
import { QUOTAS } from "../../../src/core/limits";
import { createQuotas } from "../../../src/server/http/quotas";
import { createStrangers, type Stranger, type Strangers } from "../../../src/server/http/strangers";

const { source: OF_SOURCE, all: ALL } = QUOTAS.greetings;

let strangers: Strangers;
let cut: string[];
beforeEach(() => {
  strangers = createStrangers(createQuotas(() => 0));
  cut = [];
});

function open(source: string, name = source): Stranger {
  const stranger = strangers.admit(source);
  stranger.cut = () => void cut.push(name);
  return stranger;
}

test("the oldest of an address makes way for its next, and another address is left alone", () => {
  open("other");
  for (let n = 0; n < OF_SOURCE; n++) open("full", `${n}`);
  expect(cut).toEqual([]);
  open("full", "agent");
  open("full", "second");
  expect(cut).toEqual(["0", "1"]);
});

test("who has proven itself makes way for nobody, and counts until it is greeted", () => {
  const nodes = Array.from({ length: OF_SOURCE }, () => open("full"));
  for (const node of nodes) strangers.proven(node);
  expect(() => open("full")).toThrow(`has ${OF_SOURCE}`);
  nodes[0]?.leave();
  open("full", "silent");
  open("full", "agent");
  expect(cut).toEqual(["silent"]);
});

test("when all addresses together have too many, the oldest of all makes way for an address that has none", () => {
  for (let n = 0; n < ALL; n++) open(`address ${Math.floor(n / OF_SOURCE)}`, `${n}`);
  open("agent");
  expect(cut).toEqual(["0"]);
});

test("who leaves twice is counted once, and one that is only being opened is not cut off", () => {
  for (let n = 0; n < OF_SOURCE; n++) {
    const stranger = open("full");
    stranger.leave();
    stranger.leave();
  }
  for (let n = 0; n < OF_SOURCE; n++) strangers.admit("full");
  expect(() => strangers.admit("full")).toThrow();
});
