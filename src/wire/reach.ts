// Why no connection was made, in words that name what has to be mended: the name, the port, or the proxy.

import { proxyOf } from "./dial";

const DIAL_WITHIN_MS = 1_000;
const DEFAULT_PORT = 443;

/** The other end of the first connection: the server, or the proxy on the way there. */
interface FirstStop {
  readonly hostname: string;
  readonly port: number;
  /** The stop in words. A proxy's name and password are not in them. */
  readonly words: string;
  readonly isProxy: boolean;
  /** Whether the server's address names no port, so that the port of https counts. */
  readonly isPortless: boolean;
}

function firstStop(address: string): FirstStop {
  const proxy = proxyOf(address);
  const { hostname, port, protocol } = new URL(proxy === false ? address : proxy.url);
  const number = Number(port || (protocol === "http:" ? 80 : DEFAULT_PORT));
  const at = `${hostname}:${number}`;
  return {
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: number,
    words: proxy === false ? at : `the proxy ${at} (ORCH_PROXY)`,
    isProxy: proxy !== false,
    isPortless: proxy === false && port === "",
  };
}

/** Returns why a dial failed, or null if the error does not say what has to be mended. */
export function dialWords(error: unknown, address: string): string | null {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const { hostname, words, isProxy, isPortless } = firstStop(address);
  if (code === "ERR_PROXY_TUNNEL") {
    const answer = /\b[1-5]\d\d\b.*$/.exec(error instanceof Error ? error.message : "")?.[0] ?? "";
    return `${words} opens no way to ${new URL(address).host}: ${answer}`;
  }
  if (/notfound|eai_again|dns/i.test(code)) {
    return isProxy ? `${words}: its name is not known here` : `the name ${hostname} is not known here`;
  }
  if (!/refused/i.test(code)) return null;
  return `nothing listens at ${words}${isPortless ? "; the address names no port, and orch's own is 4400" : ""}`;
}

/** Dials once without a word, and returns why that fails; null if it does not, or not for a reason that is known. */
export async function whyUnreachable(address: string): Promise<string | null> {
  const { hostname, port } = firstStop(address);
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), DIAL_WITHIN_MS);
  const open = (socket: { end(): unknown }): void => {
    socket.end();
  };
  const dial = async (): Promise<string | null> => {
    try {
      await Bun.connect({ hostname, port, socket: { open, data: () => undefined } });
      return null;
    } catch (error) {
      return dialWords(error, address);
    }
  };
  return Promise.race([dial(), late.promise]).finally(() => clearTimeout(timer));
}

/** Returns why a WebSocket was not opened. The runtime's own words name neither the proxy nor the cause. */
export async function socketWords(why: string, address: string): Promise<string> {
  if (/certificate/.test(why))
    return `${why}: its key is not the joined server's, so it is another cluster's or an impostor`;
  if (why.startsWith("Proxy ")) return `${firstStop(address).words}: ${why}`;
  return why.startsWith("Failed to connect") ? ((await whyUnreachable(address)) ?? why) : why;
}
