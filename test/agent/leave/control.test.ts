// The agent's own socket: what is said there is taken in only where it is of this protocol.

import { afterEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openControl } from "../../../src/agent/leave/control";
import { LeaveRequests } from "../../../src/agent/leave/requests";
import { connectLines } from "../../../src/os/files/lines";
import { AGENT_SOCKET } from "../../../src/wire/local";
import { waitUntil } from "../../support/wait";

const over: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of over.splice(0)) await end();
});

async function open() {
  const data = await mkdtemp(join(tmpdir(), "orch-control-"));
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const clock = (): number => 1_000;
  const requests = new LeaveRequests({
    clock,
    say,
    left: () => [],
    changed: () => undefined,
    farewell: () => undefined,
  });
  const control = openControl({ data, requests, clock, name: () => "box1", say });
  over.push(
    () => requests.close(),
    () => control.close(),
    () => rm(data, { recursive: true }),
  );
  const heard: unknown[] = [];
  let closed = false;
  const connected = await connectLines(join(data, AGENT_SOCKET), () => ({
    message: (message) => void heard.push(message),
    closed: () => void (closed = true),
  }));
  if (connected.is === "failed") throw new Error(connected.why);
  const { peer } = connected;
  return { requests, said, heard, peer, isClosed: () => closed };
}

test("an order to leave is taken in and answered", async () => {
  const { requests, heard, peer } = await open();
  peer.send({ do: "leave", in_ms: 5_000 });
  await waitUntil("the progress", () => heard.length > 0);
  expect(requests.now()).toMatchObject({ until_ms: 6_000, gone: false });
  expect(heard[0]).toEqual({ is: "leaving", name: "box1", noted: false, left: [] });
  peer.close();
});

test.each([[null], [{ do: "dance" }], [{ do: "leave", in_ms: "soon" }]])(
  "%j is refused: it is said, and the peer is let go",
  async (message) => {
    const { requests, said, peer, isClosed } = await open();
    peer.send(message);
    await waitUntil("the peer to be let go", isClosed);
    expect(said[0]).toContain("was not understood");
    expect(requests.now()).toBeNull();
  },
);
