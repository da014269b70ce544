// What every request must pass and every answer must carry: the right host, no foreign page, headers that browsers
// obey.

import { HOUSE_LIMITS } from "../../core/limits";
import { RefusedError } from "../refused";

/**
 * Refuses a request that a web page of another site could send, or that came under a foreign name which resolves to
 * this address.
 */
export function refuseForeign(request: Request, hosts: ReadonlySet<string>): void {
  const url = URL.parse(request.url);
  if (url === null) throw new RefusedError("bad_request", "the address or the Host of the request is none", null);
  if (request.url.length > HOUSE_LIMITS.url_chars) {
    throw new RefusedError("too_large", `the address is longer than ${HOUSE_LIMITS.url_chars} characters`);
  }
  const host = request.headers.get("host") ?? url.host;
  if (!isOurs(host, hosts)) {
    throw new RefusedError(
      "wrong_host",
      `this server is not called ${JSON.stringify(host.slice(0, 100))}`,
      "Use its IP address or its own name, or start it with --host NAME",
    );
  }
  const origin = request.headers.get("origin");
  const page = origin === null ? null : URL.parse(origin);
  // A page of this host that came in plain HTTP is not this server's, which speaks TLS alone.
  if (origin !== null && (page?.protocol !== "https:" || page.host !== host)) {
    throw new RefusedError("forbidden", "a page of another site may not ask this server", null);
  }
}

const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const IPV6 = /^\[[0-9a-f:.]+\]$/;

function isOurs(host: string, hosts: ReadonlySet<string>): boolean {
  const name = host
    .toLowerCase()
    .replace(/:\d{1,5}$/, "")
    .replace(/\.$/, "");
  return name === "localhost" || IPV4.test(name) || IPV6.test(name) || hosts.has(name);
}

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

/** Adds headers that keep browsers and caches from storing, framing, sniffing or running an answer. */
export function secured(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
  return response;
}
