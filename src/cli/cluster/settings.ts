// Which server a command talks to and as whom: flag, then environment, then a context, then the server's own data
// directory.

import { join } from "node:path";
import { configDir, parseCluster, readContexts, readOr, type Cluster } from "./contexts";
import { CliError, EXIT } from "../failure";

export const DEFAULT_URL = "http://127.0.0.1:4400";

export interface ServerTarget {
  readonly url: string;
  readonly token: string | null;
  readonly pin: string | null;
}

/** What the command line says about the server. */
export interface AskedServer {
  readonly url: string | null;
  readonly token: string | null;
  readonly data: string | null;
}

export interface UserSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly hostname: string;
  readonly uid: number | null;
}

/** Returns the data directory: `--data`, `$ORCH_DATA`, or the default for this account. */
export function dataDir(asked: string | null, { env, home, hostname, uid }: UserSurroundings): string {
  const named = asked ?? (env["ORCH_DATA"] || null);
  if (named !== null) return named;
  return uid === 0 ? "/var/lib/orch" : join(home, ".local/share/orch", hostname);
}

/**
 * Finds address, token and pin. A token that was stored for one address is never sent to another. `pinOf` reads the
 * server's key hash from a token.
 */
export async function resolveTarget(
  asked: AskedServer,
  around: UserSurroundings,
  pinOf: (token: string) => string | null,
): Promise<ServerTarget> {
  const url = normalUrl(asked.url ?? (around.env["ORCH_URL"] || null));
  const token = asked.token ?? (around.env["ORCH_TOKEN"] || null);
  const known = await sources(asked, around, url !== null);
  const match = url === null ? known[0] : known.find((one) => sameOrigin(one.url, url));
  const chosen = url ?? match?.url ?? DEFAULT_URL;
  const stored = match === undefined || match.token === "" ? null : match.token;
  const used = token ?? stored;
  const pin = (used === null ? null : pinOf(used)) ?? match?.pin ?? null;
  refusePlain(chosen);
  return { url: chosen, token: used, pin };
}

/** Returns the clusters that are known on this machine, in the order in which they are asked. */
async function sources(asked: AskedServer, around: UserSurroundings, addressed: boolean): Promise<Cluster[]> {
  const contexts = await readContexts(configDir(around.env, around.home));
  const own = await ownServer(dataDir(asked.data, around));
  if (own === null && asked.data !== null && !addressed) {
    throw new CliError(
      EXIT.unreachable,
      `${asked.data} is no server's data directory, or not yours to read`,
      "Name the server with --url; log in with: orch login URL",
    );
  }
  const named = asked.data !== null || Boolean(around.env["ORCH_DATA"]);
  const local = own === null ? [] : [own];
  return named ? [...local, ...contexts] : [...contexts, ...local];
}

/** Returns the server of a data directory: its address, and the admin token if it may be read. */
async function ownServer(dir: string): Promise<Cluster | null> {
  const cluster = parseCluster(await readOr(join(dir, "server", "client.json")));
  if (cluster === null) return null;
  return { ...cluster, token: (await readOr(join(dir, "server", "admin.token")))?.trim() ?? "" };
}

/** Completes an address. A missing scheme becomes https, and http for this machine's loopback. */
export function normalUrl(typed: string | null): string | null {
  if (typed === null) return null;
  const loopback = /^(127\.0\.0\.1|localhost|\[::1\])(:|\/|$)/.test(typed);
  const whole = /^[a-z]+:\/\//i.test(typed) ? typed : `${loopback ? "http" : "https"}://${typed}`;
  const url = URL.parse(whole);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new CliError(EXIT.usage, `${typed}: not the address of a server`, "Write it like https://box1:4400");
  }
  refusePlain(url.origin);
  return url.origin;
}

/** Refuses plain HTTP to other machines, so that a token never crosses a network unencrypted. */
function refusePlain(address: string): void {
  const { protocol, hostname } = new URL(address);
  const near =
    hostname === "localhost" || hostname.endsWith(".localhost") || hostname.startsWith("127.") || hostname === "[::1]";
  if (protocol !== "http:" || near) return;
  throw new CliError(
    EXIT.usage,
    `${address} is plain HTTP: the token would travel in the clear`,
    "Use https://, as the server prints it",
  );
}

const sameOrigin = (a: string, b: string): boolean => URL.parse(a)?.origin === URL.parse(b)?.origin;
