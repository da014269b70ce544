// Orders as the agent takes them: one battery at a time, a result for as long as it is asked for.

import { expect, test } from "bun:test";
import { createTester, type Battery, type TestLine, type Tester } from "../../../src/agent/tests/tester";
import type { ToServer } from "../../../src/wire/agent";
import { waitUntil } from "../../support/wait";
import { resultOf } from "../../server/hand-agent";

const STAMP = { cluster_id: "c", timeline: "t", epoch: 1, session: 1, revision: 1, signature: "" };

interface Begun {
  readonly id: string;
  readonly line: TestLine;
  readonly end: () => void;
}

interface Bench {
  readonly tester: Tester;
  readonly begun: Begun[];
  readonly said: ToServer[];
  /** What the agent's log got. */
  readonly logged: string[];
  order(id: string): void;
  connect(): ToServer[];
}

/** A tester whose batteries end when the test says so, and when they are called off unless they are `deaf`. */
function bench(deaf = false): Bench {
  const begun: Begun[] = [];
  const logged: string[] = [];
  const said: ToServer[] = [];
  const battery: Battery = async ({ id }, line) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    begun.push({ id, line, end: resolve });
    if (!deaf) line.signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    if (id === "broken") throw new Error("no tool");
    return [resultOf(`of ${id}`)];
  };
  const tester = createTester(battery, (line) => void logged.push(line));
  const connect = (): ToServer[] => {
    said.length = 0;
    tester.connect((message) => said.push(message));
    return said;
  };
  connect();
  return {
    tester,
    begun,
    said,
    logged,
    connect,
    order: (id) => tester.take({ type: "test", stamp: STAMP, id, commands: [] }),
  };
}

/** All that was under way in promises has come of it what may. */
const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const tested = (said: readonly ToServer[]): string[] => said.flatMap((one) => (one.type === "tested" ? [one.id] : []));

test("an order that comes again is one battery, and its result is told again", async () => {
  const { begun, said, order } = bench();
  order("a");
  order("a");
  await waitUntil("the battery", () => begun.length > 0);
  begun[0]?.end();
  await waitUntil("its result", () => tested(said).length > 0);
  order("a");
  expect(tested(said)).toEqual(["a", "a"]);
  expect(begun.length).toBe(1);
  expect(said.find(({ type }) => type === "tested")).toMatchObject({ results: [{ name: "of a" }] });
});

test("a newer order calls the battery off, and begins when it has ended", async () => {
  const { begun, said, logged, order } = bench(true);
  order("a");
  await waitUntil("the first battery", () => begun.length === 1);
  order("b");
  await turn();
  expect(begun.map(({ id, line }) => [id, line.signal.aborted])).toEqual([["a", true]]);
  begun[0]?.end();
  await waitUntil("the second battery", () => begun.length === 2);
  begun[1]?.end();
  await waitUntil("its result", () => tested(said).includes("b"));
  expect([begun[1]?.id, tested(said), logged]).toEqual(["b", ["b"], []]);
});

test("of orders that came meanwhile only the newest begins", async () => {
  const { begun, order } = bench();
  order("a");
  await waitUntil("the first battery", () => begun.length === 1);
  order("b");
  order("c");
  await waitUntil("the newest", () => begun.at(-1)?.id === "c");
  expect(begun.map(({ id }) => id)).toEqual(["a", "c"]);
});

test("a battery that cannot be run is told of in the log, and begins anew when it is asked for again", async () => {
  const { begun, said, logged, order } = bench();
  order("broken");
  await waitUntil("the battery", () => begun.length === 1);
  begun[0]?.end();
  await waitUntil("the log", () => logged.length > 0);
  expect([logged, tested(said)]).toEqual([["the tests of this node could not be run: no tool"], []]);
  order("broken");
  await waitUntil("the battery again", () => begun.length === 2);
});

test("a result that found no connection is told when it is asked for again", async () => {
  const { tester, begun, connect, order } = bench();
  order("a");
  await waitUntil("the battery", () => begun.length === 1);
  tester.connect(null);
  begun[0]?.end();
  const said = connect();
  order("a");
  await waitUntil("its result", () => tested(said).length > 0);
  expect([tested(said), begun.length]).toEqual([["a"], 1]);
});

test("an echo ends with its answer, or with the connection", async () => {
  const { tester, begun, said, order } = bench();
  order("a");
  await waitUntil("the battery", () => begun.length === 1);
  const line = begun[0]!.line;
  const first = line.echo("x");
  const sent = said.find((one) => one.type === "echo");
  expect(sent).toMatchObject({ data: "x" });
  tester.take({ type: "echo", n: sent?.type === "echo" ? sent.n : 0, wall_ms: 7, data: "x" });
  expect(await first).toBe(7);
  const second = line.echo("y");
  tester.connect(null);
  expect(await second).toBeNull();
  expect(await line.echo("z")).toBeNull();
});

test("a tester that is stopped calls everything off and says no more", async () => {
  const { tester, begun, said, order } = bench();
  order("a");
  await waitUntil("the battery", () => begun.length === 1);
  const echo = begun[0]!.line.echo("x");
  tester.stop();
  expect(begun[0]?.line.signal.aborted).toBe(true);
  expect(await echo).toBeNull();
  await turn();
  expect(said.map(({ type }) => type)).toEqual(["echo"]);
});
