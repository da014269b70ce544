// Where the server answers and under which names. It speaks TLS on every address.

import { messageOf } from "../../os/errors";
import { SERVER_NAME } from "../../wire/pinned";
import { StartError } from "../refused";

export interface Listen {
  readonly host: string;
  readonly port: number;
  /** Whether it listens on every address of this machine. */
  readonly wildcard: boolean;
}

/** Parses `host:port`, with brackets around IPv6. Throws StartError. */
export function parseListen(text: string): Listen {
  const [, host = "", port = ""] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(text.trim()) ?? [];
  if (port === "" || Number(port) > 65_535) {
    throw new StartError(
      `${JSON.stringify(text)} is not an address to listen on`,
      "such as 127.0.0.1:4400 or 0.0.0.0:4400",
    );
  }
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return { host: bare, port: Number(port), wildcard: bare === "0.0.0.0" || bare === "::" };
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);

const inUrl = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** Returns the address that clients on this machine use. */
export const localUrl = ({ host, wildcard }: Listen, port: number): string =>
  `https://${wildcard ? "127.0.0.1" : inUrl(host)}:${port}`;

/** Returns the address of a name that this server was given, to be told to other machines. */
export const namedUrl = (name: string, port: number): string => `https://${inUrl(name)}:${port}`;

/** Returns the addresses under which the server answers other machines, the most probable one first. */
export function outsideUrls({ host, wildcard }: Listen, port: number, addresses: readonly string[]): string[] {
  if (isLoopback(host)) return [];
  const reached = wildcard ? addresses.filter((one) => host === "::" || !one.includes(":")) : [host];
  return reached.map((one) => `https://${inUrl(one)}:${port}`);
}

/** Returns the error of a port that cannot be had, in words. */
export function listenError(error: unknown, text: string): StartError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const message = messageOf(error);
  if (code === "EADDRINUSE") {
    return new StartError(
      `${text} is in use by another program`,
      "Is a server running already? Else choose another --listen",
      { cause: error },
    );
  }
  if (code === "EACCES" || code === "EPERM") {
    return new StartError(
      `this user may not listen on ${text}`,
      "Ports below 1024 are for root: choose another --listen",
      { cause: error },
    );
  }
  if (code === "EADDRNOTAVAIL") {
    return new StartError(`this machine has no address ${text}`, "0.0.0.0:4400 is every address it has", {
      cause: error,
    });
  }
  return new StartError(`cannot listen on ${text}: ${message}`, "Choose another --listen", { cause: error });
}

/** Returns the names, besides IP literals and localhost, under which requests may come. */
export function hostNames(hostname: string, more: readonly string[], listen: Listen): Set<string> {
  const own = hostname.toLowerCase();
  const names = [
    SERVER_NAME,
    own,
    own.split(".")[0] ?? own,
    `${own.split(".")[0] ?? own}.local`,
    ...more.map((name) => name.toLowerCase()),
  ];
  return new Set(isLoopback(listen.host) || listen.wildcard ? names : [...names, listen.host]);
}
