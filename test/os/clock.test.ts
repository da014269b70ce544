// The ways to wait: a pause ends early when it is called off, and what takes too long is not waited for.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { bootMs, breathe, pause, within } from "../../src/os/clock";
import { waitUntil } from "../support/wait";

const LONG_MS = 600_000;

test("a pause ends when its time has come", async () => {
  expect(await pause(0)).toBeUndefined();
});

test("a pause ends when it is called off, before or during it", async () => {
  const stop = new AbortController();
  const paused = pause(LONG_MS, stop.signal).then(() => "over");
  stop.abort();
  expect([await paused, await pause(LONG_MS, stop.signal).then(() => "over")]).toEqual(["over", "over"]);
});

test("what comes in time counts, and what does not is replaced", async () => {
  expect(await within(LONG_MS, Promise.resolve("came"), "late")).toBe("came");
  expect(await within(1, Promise.withResolvers<string>().promise, "late")).toBe("late");
  const broken = within(LONG_MS, Promise.reject<string>(new Error("broke")), "late");
  expect(await broken.catch((error: Error) => error.message)).toBe("broke");
});

test("a time in which the process was stopped makes nothing late", async () => {
  const clock = join(import.meta.dir, "../../src/os/clock.ts");
  const script = `const { withinLife } = await import(${JSON.stringify(clock)});
    const came = Bun.spawn(["sleep", "0.3"]).exited.then(() => "came");
    console.log("begun");
    console.log(await withinLife(800, came, "late"), await withinLife(1, Promise.withResolvers().promise, "late"));`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const out = child.stdout.getReader();
  const read = async (): Promise<string> => new TextDecoder().decode((await out.read()).value).trim();
  expect(await read()).toBe("begun");
  child.kill("SIGSTOP");
  const from_ms = bootMs();
  await waitUntil("its time to be over", () => bootMs() - from_ms > 1_500);
  child.kill("SIGCONT");
  expect(await read()).toBe("came late");
});

test("others have their turn while a loop breathes", async () => {
  const order: string[] = [];
  setImmediate(() => void order.push("other"));
  await breathe();
  expect(order).toEqual(["other"]);
});
