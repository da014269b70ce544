// A connection that is not made says what has to be mended: the name, the port, or the proxy.

import { afterEach, expect, test } from "bun:test";
import { dialWords, socketWords, whyUnreachable } from "../../src/wire/reach";
import { fetchCertificate } from "../../src/wire/pinned";

const before = process.env["ORCH_PROXY"];
afterEach(() => {
  if (before === undefined) delete process.env["ORCH_PROXY"];
  else process.env["ORCH_PROXY"] = before;
});

/** Returns the words for a failed request, and for a failed dial, of the same address. */
async function words(url: string, proxy = ""): Promise<(string | null)[]> {
  process.env["ORCH_PROXY"] = proxy;
  const asked = await fetchCertificate(url, "pin").then(
    () => "an answer",
    (error: unknown) => dialWords(error, url),
  );
  return [asked, await whyUnreachable(url)];
}

/** Returns the port of something that answers every connection with this line, as a proxy does. */
function answering(line: string): { readonly port: number; stop(): void } {
  const socket = {
    data(peer: { write(text: string): unknown; end(): unknown }) {
      peer.write(`HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`);
      peer.end();
    },
  };
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
  return { port: listener.port, stop: () => listener.stop(true) };
}

test("an unknown name, a wrong port and a missing port are told apart", async () => {
  const unknown = "the name nosuch.invalid is not known here";
  expect(await words("https://nosuch.invalid:4400")).toEqual([unknown, unknown]);
  const closed = answering("200 OK");
  closed.stop();
  const wrong = `nothing listens at 127.0.0.1:${closed.port}`;
  expect(await words(`https://127.0.0.1:${closed.port}`)).toEqual([wrong, wrong]);
  const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  expect(dialWords(refused, "https://box1")).toBe(
    "nothing listens at box1:443; the address names no port, and orch's own is 4400",
  );
});

test("a proxy that is dead, unknown or refuses is named, without its password", async () => {
  const closed = answering("200 OK");
  closed.stop();
  const dead = `nothing listens at the proxy 127.0.0.1:${closed.port} (ORCH_PROXY)`;
  expect(await words("https://box.invalid:4400", `http://user:pass@127.0.0.1:${closed.port}`)).toEqual([dead, dead]);
  const proxy = answering("407 Proxy Authentication Required");
  const [asked] = await words("https://box.invalid:4400", `http://127.0.0.1:${proxy.port}`);
  proxy.stop();
  expect(asked).toBe(
    `the proxy 127.0.0.1:${proxy.port} (ORCH_PROXY) opens no way to box.invalid:4400: ` +
      "407 Proxy Authentication Required",
  );
  const unknown = "the proxy nosuch.invalid:3128 (ORCH_PROXY): its name is not known here";
  expect((await words("https://box.invalid:4400", "http://nosuch.invalid:3128"))[0]).toBe(unknown);
});

test("what the runtime says of a WebSocket is made whole", async () => {
  process.env["ORCH_PROXY"] = "";
  expect(await socketWords("Failed to connect", "https://nosuch.invalid")).toContain("nosuch.invalid is not known");
  expect(await socketWords("TLS handshake failed", "https://box1:4400")).toBe("TLS handshake failed");
  const other = await socketWords("TLS handshake failed: self signed certificate", "https://box1:4400");
  expect(other).toEndWith("its key is not the joined server's, so it is another cluster's or an impostor");
  process.env["ORCH_PROXY"] = "http://proxy.invalid:3128";
  const said = "Proxy authentication required: 407";
  expect(await socketWords(said, "https://box1:4400")).toBe(`the proxy proxy.invalid:3128 (ORCH_PROXY): ${said}`);
});
