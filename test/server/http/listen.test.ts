// The addresses that a server tells to other machines.

import { expect, test } from "bun:test";
import { outsideUrls, parseListen } from "../../../src/server/http/listen";

const MACHINE = ["192.0.2.5", "2001:db8::5", "172.17.0.1"];
const urls = (listen: string): string[] => outsideUrls(parseListen(listen), 4400, MACHINE);

test.each(["127.0.0.1:4400", "localhost:4400", "[::1]:4400", "127.8.8.8:0"])(
  "a server on %s has no address for others",
  (listen) => {
    expect(urls(listen)).toEqual([]);
  },
);

test("a server on every address has those of its machine and of its family", () => {
  expect(urls("0.0.0.0:0")).toEqual(["https://192.0.2.5:4400", "https://172.17.0.1:4400"]);
  expect(urls("[::]:0")).toEqual(["https://192.0.2.5:4400", "https://[2001:db8::5]:4400", "https://172.17.0.1:4400"]);
});

test("a server on one address has that one", () => {
  expect(urls("198.51.100.9:4400")).toEqual(["https://198.51.100.9:4400"]);
});
