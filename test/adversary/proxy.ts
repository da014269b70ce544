// A proxy that writes down whatever passes through it: tunnels (CONNECT), plain requests, and where they lead.
//
//   bun test/adversary/proxy.ts --port PORT --log FILE [--to HOST:PORT]
//
// Set HTTP_PROXY, HTTPS_PROXY and ALL_PROXY (and lower case) to http://127.0.0.1:PORT and use orch: nothing may come
// here. Where a proxy was asked for (ORCH_PROXY), only tunnels may come, with TLS inside. `--to` leads every tunnel to
// another address, such as an impostor's.

import { appendFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { port: { type: "string", default: "0" }, log: { type: "string" }, to: { type: "string" } },
});

function write(line: Record<string, unknown>): void {
  if (values.log === undefined) console.log(JSON.stringify(line));
  else appendFileSync(values.log, `${JSON.stringify(line)}\n`);
}

interface Passing {
  readonly n: number;
  /** The connection to the target, once the tunnel stands. */
  target: Bun.Socket<undefined> | null;
}

let connections = 0;

/** Opens the tunnel that a client asks for, and passes everything on in both directions. */
async function tunnel(socket: Bun.Socket<Passing>, address: string): Promise<void> {
  const at = address.lastIndexOf(":");
  socket.data.target = await Bun.connect({
    hostname: address.slice(0, at),
    port: Number(address.slice(at + 1)),
    socket: {
      data(_, bytes) {
        write({ connection: socket.data.n, back: bytes.toString("latin1") });
        socket.write(bytes);
      },
      close: () => void socket.end(),
    },
  });
  socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
}

const server = Bun.listen<Passing>({
  hostname: "127.0.0.1",
  port: Number(values.port),
  socket: {
    open(socket) {
      socket.data = { n: ++connections, target: null };
      write({ connection: socket.data.n });
    },
    data(socket, bytes) {
      // Each byte becomes one character, so that what passed can be searched for.
      const heard = bytes.toString("latin1");
      write({ connection: socket.data.n, heard });
      const asked = /^CONNECT (\S+) /.exec(heard)?.[1];
      if (socket.data.target !== null) socket.data.target.write(bytes);
      else if (asked === undefined) socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
      else tunnel(socket, values.to ?? asked).catch(() => socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
    },
    close: (socket) => void socket.data.target?.end(),
  },
});
console.log(`proxy on 127.0.0.1:${server.port}`);
