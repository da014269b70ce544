// The lines of many tasks in one output: in which order, and behind which names.

import { describe, expect, test } from "bun:test";
import { makeContext } from "../../../src/cli/context";
import { namedSink } from "../../../src/cli/follow/log-sink";
import { newestTasks } from "../../../src/cli/follow/log-targets";
import { replicaOf } from "../../support/views";
import { stage } from "../stage";

test("replicas are in the order of their numbers", () => {
  const names = newestTasks(
    [10, 2, 0, 1].map((slot) => replicaOf("recs.api", slot)),
    null,
  ).map(({ name }) => name);
  expect(names).toEqual(["recs.api.0", "recs.api.1", "recs.api.2", "recs.api.10"]);
});

describe("what the names of all tasks begin with", () => {
  const shown = async (name: string, tty: boolean): Promise<string> => {
    const { host, out } = stage({ tty, env: { NO_COLOR: "1" } });
    const sink = namedSink(makeContext(host, { url: null, token: null, data: null }), host.out, name, "recs.api.");
    await sink.write(new TextEncoder().encode("started\n"));
    return out();
  };
  test("is left out on a terminal", async () => {
    expect(await shown("recs.api.12", true)).toBe("12 | started\n");
    expect(await shown("recs.web.0", true)).toBe("recs.web.0 | started\n");
  });
  test("stays for programs", async () => expect(await shown("recs.api.12", false)).toBe("recs.api.12 | started\n"));
});
