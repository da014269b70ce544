// Apple's probe over a stand-in for system_profiler.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { totalmem } from "node:os";
import { appleProbe, hasApple } from "../../../../src/agent/devices/apple/apple";
import { isModel } from "../../../../src/core/cards/gpu";
import { AppleMachine, profile } from "../../../support/devices/apple";

const LIMITS = { first_ms: 30_000, later_ms: 30_000 };

let machine: AppleMachine;
beforeAll(async () => {
  machine = await AppleMachine.make();
});
afterAll(() => machine.site.close());

const open = () => appleProbe(machine.site.places({ system_profiler: machine.path }), LIMITS);

test("an Apple chip is one card, with three quarters of the machine's memory", async () => {
  machine.tells(profile({ model: "Apple M2 Ultra", cores: "76", uuid: "1DEAC0DE-0000-5111-8222-0123456789AB" }));
  const look = await open().look();
  expect(look).toMatchObject({
    is: "seen",
    cards: [
      {
        id: "apple-1deac0de-0000-5111-8222-0123456789ab",
        vendor: "apple",
        model: "Apple M2 Ultra (76 cores)",
        memory_bytes: Math.floor((totalmem() * 3) / 4),
        index: 0,
        files: [],
        processes: [],
      },
    ],
    shared_files: [],
  });
  const model = look.is === "seen" ? (look.cards[0]?.model ?? "") : "";
  expect([isModel("M2 Ultra", model), isModel("M2", model), isModel("M3", model)]).toEqual([true, true, false]);
});

test("it is asked once, and again only after its close", async () => {
  machine.tells(profile({ model: "Apple M4", cores: "10" }));
  machine.site.drop("tools/asked");
  const probe = open();
  const first = await probe.look();
  machine.tells("nothing");
  expect(await probe.look()).toEqual(first);
  const asked = (): Promise<string> => Bun.file(`${machine.site.root}/tools/asked`).text();
  expect(await asked()).toBe("-json SPDisplaysDataType SPHardwareDataType\n");
  probe.close();
  expect(await probe.look()).toMatchObject({ is: "failed" });
});

test("without a UUID the machine's own name stands for it", async () => {
  machine.tells(profile({ model: "Apple M4", cores: "10" }));
  expect(await open().look()).toMatchObject({ cards: [{ id: expect.stringMatching(/^apple-[0-9a-f]{8}$/) }] });
});

test("other makers' graphics in a Mac are none of these cards", async () => {
  machine.tells(profile("Intel"));
  expect(await open().look()).toMatchObject({ is: "seen", cards: [] });
});

test("elsewhere nothing is asked unless a path is given", () => {
  expect(hasApple(machine.site.places())).toBe(process.platform === "darwin");
});
