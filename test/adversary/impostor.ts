// An impostor: answers on a server's port like the server, with a key of its own or without TLS, and writes down every
// byte that it is told. It shows that neither people nor agents tell anything before the server's key is proven.
//
//   bun test/adversary/impostor.ts --port PORT --log FILE [--plain] [--redirect URL]
//       [--certificate FILE]   gives this certificate away as its own; it is public, and no proof
//
// Take the port of a server that is away, best as another account, and use orch as before: `orch ps`, agents. FILE gets
// one JSON line for each connection, and for the bytes of each (after TLS, without --plain). Connections alone and the
// request of the certificate are no secret; a token, a hello or a path beyond that is a hole.

import { appendFileSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { makeCertificate } from "../../src/server/access/certificate";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    log: { type: "string" },
    plain: { type: "boolean", default: false },
    redirect: { type: "string" },
    certificate: { type: "string" },
  },
});

const own = await makeCertificate("0bad");
const shown = values.certificate === undefined ? own.certificate_pem : readFileSync(values.certificate, "utf8");

function write(line: Record<string, unknown>): void {
  if (values.log === undefined) console.log(JSON.stringify(line));
  else appendFileSync(values.log, `${JSON.stringify(line)}\n`);
}

/** What an impostor hopes to hear after this is a hello, with the node's proof of its identity. */
const CHALLENGE = JSON.stringify({
  type: "challenge",
  protocol: 1,
  nonce: "00".repeat(16),
  stamp: { cluster_id: "c", timeline: "t", epoch: 999_999, revision: 999_999, session: 1 },
});

/** Returns a text frame of the WebSocket protocol. */
function frameOf(text: string): Buffer {
  const body = Buffer.from(text);
  const head =
    body.length < 126
      ? Buffer.from([0x81, body.length])
      : Buffer.from([0x81, 126, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, body]);
}

function httpOf(status: string, body: string, ...headers: string[]): string {
  const lines = [`HTTP/1.1 ${status}`, `content-length: ${Buffer.byteLength(body)}`, "connection: close", ...headers];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** Returns the answer to a request, as tempting as an impostor can make it. */
function answerTo(request: string): string | Buffer {
  if (request.includes(" /v1/bootstrap/cert ")) return httpOf("200 OK", shown);
  if (values.redirect !== undefined) return httpOf("307 Temporary Redirect", "", `location: ${values.redirect}`);
  const key = /sec-websocket-key: (\S+)/i.exec(request)?.[1];
  if (key === undefined) return httpOf("200 OK", "{}", "content-type: application/json");
  const accept = new Bun.CryptoHasher("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const head = `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n`;
  return Buffer.concat([Buffer.from(`${head}sec-websocket-accept: ${accept}\r\n\r\n`), frameOf(CHALLENGE)]);
}

let connections = 0;

const server = Bun.listen<{ readonly n: number }>({
  hostname: "127.0.0.1",
  port: Number(values.port),
  ...(values.plain ? {} : { tls: { key: own.key_pem, cert: own.certificate_pem } }),
  socket: {
    open(socket) {
      socket.data = { n: ++connections };
      write({ connection: socket.data.n });
    },
    data(socket, bytes) {
      // Each byte becomes one character, so that what was sent can be searched for.
      const heard = bytes.toString("latin1");
      write({ connection: socket.data.n, heard });
      if (/^[A-Z]+ \//.test(heard)) socket.write(answerTo(heard));
      else if (values.plain) socket.end(httpOf("400 Bad Request", ""));
    },
    error: (socket, error) => write({ connection: socket.data.n, error: error.message }),
  },
});
console.log(`impostor on 127.0.0.1:${server.port}${values.plain ? ", without TLS" : ", with another key"}`);
