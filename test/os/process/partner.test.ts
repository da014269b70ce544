// A partner that is gone takes no message: whoever speaks to it is told by its end, and by nothing else.

import { expect, test } from "bun:test";
import { startPartner } from "../../../src/os/process/partner";
import { isAlive } from "../../support/processes";
import { waitUntil } from "../../support/wait";

test("a message to a partner that has just died is no error, before and after its end is told", async () => {
  let ends = 0;
  const partner = startPartner(["sleep", "60"], { heard: () => undefined, ended: () => void ends++ });
  if (typeof partner === "string") throw new Error(partner);
  partner.kill();
  while (isAlive(partner.pid) && ends === 0) partner.send({ is: "spoken into the dying" });
  partner.send({ is: "spoken to the dead" });
  await waitUntil("its end", () => ends > 0);
  partner.send({ is: "spoken after its end" });
  partner.dismiss();
  expect(ends).toBe(1);
});
