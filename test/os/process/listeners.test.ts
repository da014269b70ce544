// Who holds a port is told with its process, by what it listens on.

import { expect, test } from "bun:test";
import { inodesIn, listenerOn } from "../../../src/os/process/listeners";

const listen = (hostname: string) =>
  Bun.listen({ hostname, port: 0, socket: { data: () => undefined, open: (socket) => void socket.end() } });

test.if(process.platform === "linux")("a listener is found on its port, with its process; a free port has none", () => {
  const server = listen("127.0.0.1");
  const { port } = server;
  try {
    for (const reach of ["loopback", "everywhere"] as const) {
      expect(listenerOn(port, reach)?.process).toMatchObject({ pid: process.pid });
    }
  } finally {
    server.stop(true);
  }
  expect(listenerOn(port, "everywhere")).toBeNull();
});

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const line = (local: string, state: string, inode: number): string =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 0 0 ${inode} 1 0 100 0 0 10 0\n`;

test("of the lines of the kernel those count that listen, on an address that is in reach", () => {
  const text =
    HEAD +
    line("0100007F:4E20", "0A", 1) +
    line("0500000A:4E20", "0A", 2) +
    line("00000000:4E20", "0A", 3) +
    line("00000000:4E21", "0A", 4) +
    line("00000000:4E20", "06", 5) +
    line("00000000000000000000000001000000:4E20", "0A", 6) +
    line("0000000000000000FFFF00000100007F:4E20", "0A", 7) +
    line("B80D01200000000000000000DE000000:4E20", "0A", 8);
  expect(inodesIn(text, 20_000, "everywhere")).toEqual(["1", "2", "3", "6", "7", "8"]);
  expect(inodesIn(text, 20_000, "loopback")).toEqual(["1", "3", "6", "7"]);
  expect(inodesIn(null, 20_000, "everywhere")).toEqual([]);
});
