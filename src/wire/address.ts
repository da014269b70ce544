// Addresses of servers. Every one is TLS: what was written or stored as http:// is read as https:// or refused, so that
// nothing is ever said before the server's key is proven.

/** Returns whether a host of a URL is this machine itself. */
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
