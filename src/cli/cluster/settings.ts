// Which server a command talks to and as whom: flag, then environment, then a context, then the server's own data
// directory.

import { join } from "node:path";
import { readOwned } from "../../os/files/private-files";
import { isLoopbackHost, overTls } from "../../wire/dial";
import { configDir, parseCluster, readContexts, type Cluster, type NamedCluster } from "./contexts";
import { CliError, EXIT } from "../failure";

export const DEFAULT_URL = "https://127.0.0.1:4400";

export interface ServerTarget {
  readonly url: string;
  readonly token: string | null;
  readonly pin: string | null;
  /** The server's certificate (PEM) if its data directory is here. */
  readonly ca: string | null;
  /** The stored context that names the server, or null: it is the one of a data directory, or of the flags alone. */
  readonly context: string | null;
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
  // Its key is the one that the same file names, so it is left out where another one is asked for.
  const ca = match?.pin === pin ? (match?.certificate ?? null) : null;
  return { url: chosen, token: used, pin, ca, context: match?.name ?? null };
}

/** Returns the clusters that are known on this machine, in the order in which they are asked. */
async function sources(
  asked: AskedServer,
  around: UserSurroundings,
  addressed: boolean,
): Promise<(Cluster & Partial<NamedCluster>)[]> {
  const contexts = await readContexts(configDir(around.env, around.home), around.uid);
  const own = ownServer(dataDir(asked.data, around), around.uid);
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

/** Returns the server of a data directory: its address and key, and the admin token if it may be read. */
function ownServer(data: string, uid: number | null): Cluster | null {
  const dir = join(data, "server");
  const cluster = parseCluster(ownText(dir, "client.json", uid));
  if (cluster === null) return null;
  return { ...cluster, token: ownText(dir, "admin.token", uid)?.trim() ?? "" };
}

function ownText(dir: string, name: string, uid: number | null): string | null {
  const read = readOwned(dir, name, uid);
  if (read.is === "there") return read.text;
  if (read.is === "absent") return null;
  throw new CliError(
    EXIT.failed,
    `${join(dir, name)} is not believed: ${read.why}`,
    "Name another server with --url, or another directory with --data",
  );
}

/** What a server listens on if it is not told otherwise. */
const DEFAULT_PORT = 4400;

/**
 * Completes an address. A missing scheme becomes https, and with it a missing port the one that servers have.
 * `http://` is read as https where it names this machine, since that is what older releases printed there.
 */
export function normalUrl(typed: string | null): string | null {
  if (typed === null) return null;
  const whole = /^[a-z]+:\/\//i.test(typed) ? typed : `https://${typed}`;
  const url = URL.parse(whole);
  if (url !== null && whole !== typed && url.port === "" && !/:\d+\/?$/.test(typed)) url.port = String(DEFAULT_PORT);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new CliError(EXIT.usage, `${typed}: not the address of a server`, "Write it like https://box1:4400");
  }
  const secure = overTls(url.origin);
  if (secure !== url.origin && !isLoopbackHost(url.hostname)) {
    throw new CliError(EXIT.usage, `${url.origin} is plain HTTP, which no orch server speaks`, `Use ${secure}`);
  }
  return secure;
}

/** The names of this machine's loopback are one: the key says who answers there. */
function sameOrigin(a: string, b: string): boolean {
  const [one, other] = [URL.parse(a), URL.parse(b)];
  if (one === null || other === null) return false;
  const near = isLoopbackHost(one.hostname) && isLoopbackHost(other.hostname);
  return near ? one.port === other.port && one.protocol === other.protocol : one.origin === other.origin;
}
