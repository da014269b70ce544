// The share of its machine that an agent gives away, as the flag of its service has it.

import { expect, test } from "bun:test";
import { dispatch } from "../../../src/cli/dispatch";
import type { AgentOptions } from "../../../src/cli/parts";
import { stage } from "../stage";

async function started(...amounts: string[]) {
  let options: AgentOptions | null = null;
  const runAgent = (given: AgentOptions): Promise<"stopped"> => {
    options = given;
    return Promise.resolve("stopped");
  };
  const at = stage({ parts: { runAgent } });
  const argv = [
    "agent",
    "join",
    "https://box1:4400",
    "--data",
    "/nowhere/data",
    ...amounts.flatMap((one) => ["--capacity", one]),
  ];
  const code = await dispatch(argv, at.host);
  return { code, capacity: (options as AgentOptions | null)?.capacity, err: at.err() };
}

test("countables that earlier builds took keep no agent from its start, which says what they count as", async () => {
  const { code, capacity, err } = await started("cpu=2,seats=1.5,words=5000000000,whole=3");
  expect(code).toBe(0);
  expect(capacity).toEqual({ cpu_milli: 2_000, countables: { seats: 1, words: 1_000_000_000, whole: 3 } });
  expect(err).toBe(
    "--capacity seats=1.5 counts as 1: whole numbers up to 1000000000 are counted\n" +
      "--capacity words=5000000000 counts as 1000000000: whole numbers up to 1000000000 are counted\n",
  );
});

test("what is no number is refused", async () => {
  expect(await started("seats=many")).toMatchObject({ code: 2, capacity: undefined });
});

test("amounts may come in several options, each amount once", async () => {
  expect(await started("cpu=2", "memory=1GiB")).toMatchObject({
    code: 0,
    capacity: { cpu_milli: 2_000, memory_bytes: 1_073_741_824 },
  });
  expect(await started("cpu=2", "memory=1GiB,cpu=1")).toMatchObject({
    code: 2,
    err: expect.stringContaining("--capacity: cpu is given twice"),
  });
});
