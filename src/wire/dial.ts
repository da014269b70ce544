// How orch's own connections are dialled: over TLS alone, and directly, whatever the environment says to others, or
// through the proxy that ORCH_PROXY names. TLS goes through the proxy's tunnel, so the proxy sees no word of it.

/** A connection was not made, since its address or its other end is not what it has to be. */
export class DialError extends Error {
  override name = "DialError";
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** A proxy as fetch and WebSocket take it. False: none, whatever HTTP_PROXY, ALL_PROXY and their kin say. */
export type Proxy = false | { readonly url: string; readonly respectNoProxy: false };

/** Returns whether a host of a URL is this machine or on its link, where a proxy would ask another machine. */
export const isNear = (hostname: string): boolean =>
  isLoopbackHost(hostname) || hostname.startsWith("169.254.") || /^\[fe[89ab]/i.test(hostname);

/** Returns whether a host of a URL is this machine itself. */
/** What is said where other machines would need an address and there is none. */
export const NOT_OUTSIDE =
  "none can reach it yet: it answers on its own machine alone. Start it with: --listen 0.0.0.0:4400";

export const isLoopbackHost = (hostname: string): boolean =>
  hostname === "localhost" || hostname.endsWith(".localhost") || hostname.startsWith("127.") || hostname === "[::1]";

/**
 * Returns the https:// address of the same host and port. Agents and contexts that older releases stored for loopback
 * begin with http://; the server now answers there over TLS. A text that is no http:// address is returned unchanged.
 */
export function overTls(address: string): string {
  const url = URL.parse(address);
  if (url === null || url.protocol !== "http:") return address;
  return `https://${url.hostname}:${url.port === "" ? "80" : url.port}`;
}

/** Returns the proxy for an address. Throws DialError if ORCH_PROXY is no address of a proxy. */
export function proxyOf(address: string, setting = process.env["ORCH_PROXY"]): Proxy {
  if (setting === undefined || setting === "" || isNear(new URL(address).hostname)) return false;
  const url = URL.parse(setting);
  if (url === null || url.protocol !== "http:" || url.pathname !== "/") {
    throw new DialError("ORCH_PROXY is not the address of a proxy", "Write it like http://proxy.lab:3128");
  }
  return { url: url.href, respectNoProxy: false };
}

const LISTENS_MS = 3_000;

/**
 * Returns whether somebody listens at an address. Not a byte is sent. True where only a proxy could find out, or where
 * nobody answers in time.
 */
export async function listens(address: string): Promise<boolean> {
  const { hostname, port } = new URL(address);
  if (proxyOf(address) !== false) return true;
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(true), LISTENS_MS);
  const open = (socket: { end(): unknown }): void => {
    socket.end();
  };
  const dial = async (): Promise<boolean> => {
    try {
      const host = hostname.replace(/^\[|\]$/g, "");
      await Bun.connect({ hostname: host, port: Number(port || 443), socket: { open, data: () => undefined } });
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  };
  return Promise.race([dial(), late.promise]).finally(() => clearTimeout(timer));
}

/**
 * The options of every request of orch's own. `verbose` is explicit, since a variable of the runtime
 * (BUN_CONFIG_VERBOSE_FETCH) would print the headers, with the token.
 */
export const requestOptions = (proxy: Proxy) => ({ redirect: "error", verbose: false, proxy }) as const;
