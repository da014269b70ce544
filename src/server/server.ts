// Starts and stops the whole server. A start that fails closes what it has opened. A stop gives open requests half a
// second to end.

import { join } from "node:path";
import type { PlanLimits } from "../core/pass/snapshot";
import { formatDuration } from "../core/format";
import { MINUTE_MS } from "../core/units";
import { nowMs, steadyClock } from "../os/clock";
import { randomHex } from "../os/dice";
import { machineAddresses } from "../os/addresses";
import { replaceFileNow } from "../os/files/durable";
import { readText } from "../os/files/files";
import { takeOwnDir } from "../os/files/own-dir";
import { self } from "../os/files/private-files";
import { accountOfProcess } from "../os/machine";
import { bootId } from "../os/proc";
import { openStore } from "../store/open";
import type { Store } from "../store/store";
import { NOT_OUTSIDE } from "../wire/dial";
import { besideAnother } from "../wire/join";
import { formatToken } from "../wire/token";
import { type Api, createApi } from "./routes/api";
import { createApp } from "./app";
import { isNew, makeAdmin } from "./access/first";
import { openIdentity, type OwnIdentity } from "./access/identity";
import { JOIN_TOKEN_MS } from "./nodes/join";
import { hostNames, isLoopback, localUrl, namedUrl, outsideUrls, type Listen } from "./http/listen";
import { createInputs } from "./inputs";
import { joinCommand, joinGrant, mintToken } from "./access/tokens";
import { settingsFrom, type ServerSettings } from "./settings/settings";
import { closePort, openPort } from "./socket";
import { StartError } from "./refused";
import { startUpkeep } from "./upkeep";

export { StartError } from "./refused";

export interface ServerOptions {
  readonly data_dir: string;
  /** `host:port`; port 0 takes a free port. Null: the address of settings.yaml, or else the default. */
  readonly listen: string | null;
  /** Further names under which requests may address the server. */
  readonly hosts: string[];
  /** Whether machines that join by the token of the first start wait for an operator's approval. */
  readonly approve: boolean;
  /** Whether an agent beside it gives away the whole machine, so that no other agent may run there. */
  readonly whole_machine?: boolean | undefined;
  readonly settings: Partial<PlanLimits>;
  readonly version: string;
  say(line: string): void;
}

export interface RunningServer {
  readonly url: string;
  readonly pin: string;
  /** Makes a join token and returns it. */
  joinToken(): Promise<string>;
  /** Resolves when the server was stopped. Rejects when it ended by a failure. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server on `<data_dir>/server`. Throws StartError with one line and a hint. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  if (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    throw new StartError(
      "NODE_TLS_REJECT_UNAUTHORIZED=0 is set: it would switch off the checking of certificates",
      "Unset it and start again",
    );
  }
  const dir = join(options.data_dir, "server");
  makeDir(dir);
  const settings = settingsOf(dir, options);
  const { listen } = settings;
  const clock = steadyClock();
  const opened = openStore({ dir, clock, random: (count) => Buffer.from(randomHex(count), "hex") });
  if (!opened.ok) throw new StartError(opened.message, opened.hint);
  for (const notice of opened.notices) options.say(notice);
  const { store } = opened;
  const ahead_ms = store.now() - nowMs();
  if (ahead_ms >= MINUTE_MS) options.say(aheadWords(ahead_ms));
  try {
    const identity = await openIdentity(dir, store.state.cluster.cluster_id, isNew(store), randomHex(8));
    return await serve({ options, listen, dir, settings, store, identity, clock });
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Returns what to know of a server that goes on after commits of the future. */
const aheadWords = (ahead_ms: number): string =>
  `the last commit was made ${formatDuration(Math.round(ahead_ms / MINUTE_MS) * MINUTE_MS)} ahead of this machine's ` +
  `clock, which was wrong then or is now: the server's times go on from there, so they are ahead by as much; ` +
  `ages, deadlines and limits are right`;

function makeDir(dir: string): void {
  const own = takeOwnDir(dir);
  if (own.is === "taken") return;
  const hint = own.mend ?? "Choose a directory of this user with --data DIR or ORCH_DATA";
  throw new StartError(`${dir} cannot be used: ${own.why}`, hint);
}

function settingsOf(dir: string, options: ServerOptions): ServerSettings {
  const file = join(dir, "settings.yaml");
  const read = readText(file);
  if (read.is === "failed") throw new StartError(`cannot read ${file}: ${read.why}`, null);
  return settingsFrom(read.is === "there" ? read.text : null, file, options.settings, options.hosts, options.listen);
}

interface Opened {
  readonly options: ServerOptions;
  readonly listen: Listen;
  readonly dir: string;
  readonly settings: ServerSettings;
  readonly store: Store;
  readonly identity: OwnIdentity;
  readonly clock: () => number;
}

async function serve(opened: Opened): Promise<RunningServer> {
  const { options, listen, dir, settings, store, identity, clock } = opened;
  const { limits, findings, node_tests, hosts } = settings;
  let bound = listen.port;
  let fail = (error: unknown): void => {
    throw error;
  };
  const { api, stop: stopParts } = createApi({
    store,
    limits,
    findings,
    node_tests,
    identity,
    inputs: createInputs({ dir: join(dir, "inputs"), clock, runs: () => store.state.runs.values() }),
    clock,
    wall: nowMs,
    seed: () => randomHex(16),
    version: options.version,
    process: { uid: accountOfProcess().uid, boot_id: bootId() },
    say: (line) => options.say(line),
    failed: (error) => fail(error),
    leftOut: (why) => options.say(why),
    hosts: hostNames(self().hostname, hosts, listen),
    local: () => localUrl(listen, bound),
    outside: () => outsideOf(listen, bound, hosts)[0] ?? null,
  });
  const first = isNew(store);
  let port: ReturnType<typeof openPort>;
  try {
    if (first) options.say(`admin token: ${await makeAdmin(store, identity, dir, randomHex, api.seed)}`);
    const tls = { key: identity.key_pem, cert: identity.certificate_pem };
    port = openPort(createApp(api), api.quotas, api.sessions.handlers, listen, tls);
  } catch (error) {
    stopParts();
    throw error;
  }
  bound = port.port ?? listen.port;
  const url = outsideUrls(listen, bound, machineAddresses())[0] ?? api.local();
  writeClient(dir, api.local(), identity);
  const stopUpkeep = startUpkeep(api, (error) => fail(error));
  const end = endOf(async () => {
    stopUpkeep();
    stopParts();
    await closePort(port);
    store.close();
  });
  fail = end.fail;
  api.loop.wake();
  options.say(`listening on ${url}`);
  const others = outsideOf(listen, bound, hosts);
  if (first)
    for (const line of moreWords(await newJoinToken(api, options.approve), api, others, options)) options.say(line);
  else if (store.state.nodes.size === 0) options.say("more machines: orch token new --role agent");
  return { url, pin: identity.pin, joinToken: () => newJoinToken(api), stopped: end.stopped, stop: end.stop };
}

/**
 * Returns the addresses to tell other machines: the name that the server was given, else what this machine has now. It
 * may get its addresses after the server has started.
 */
function outsideOf(listen: Listen, port: number, hosts: readonly string[]): string[] {
  const reached = outsideUrls(listen, port, machineAddresses());
  const [name] = hosts;
  return name === undefined || isLoopback(listen.host) ? reached : [namedUrl(name, port), ...reached];
}

/** Returns what a first start says of further machines: the command, or that none can reach the server yet. */
function moreWords(
  token: string,
  api: Api,
  others: readonly string[],
  { data_dir, whole_machine = false }: Pick<ServerOptions, "data_dir" | "whole_machine">,
): string[] {
  const command = joinCommand(api, token);
  const [first, ...more] = others;
  const own = besideAnother(command, data_dir);
  if (first === undefined)
    return [
      `one more agent, on this machine: ${whole_machine ? SHARE_FIRST : ""}${own}`,
      `other machines: ${NOT_OUTSIDE}`,
    ];
  return [
    `one more machine: ${command}`,
    ...(more.length === 0 ? [] : [`where ${first} leads nowhere: ${more.join(", ")}`]),
  ];
}

const SHARE_FIRST = "end this one, start it again with a share (--capacity cpu=2,memory=4GiB), then: ";

/** Writes the file in which the command line on this machine finds the server's address. */
function writeClient(dir: string, url: string, { pin, certificate_pem }: OwnIdentity): void {
  replaceFileNow(
    join(dir, "client.json"),
    `${JSON.stringify({ url, pin, certificate: certificate_pem }, null, 2)}\n`,
    "durable",
  );
}

interface End {
  readonly stopped: Promise<void>;
  readonly stop: () => Promise<void>;
  readonly fail: (error: unknown) => void;
}

/**
 * Returns the stop and the failure of a server. Both run `close`, once in all. `stopped` resolves after a stop and
 * rejects after a failure.
 */
function endOf(close: () => Promise<void>): End {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let closing: Promise<void> | null = null;
  const closeOnce = (): Promise<void> => (closing ??= close());
  return {
    stopped: promise,
    async stop() {
      await closeOnce();
      resolve();
    },
    fail(error) {
      // Errors that occur after the stop has begun are not reported, since the stop itself can cause them.
      if (closing !== null) return;
      closeOnce()
        .finally(() => reject(error))
        .catch(reject);
    },
  };
}

async function newJoinToken(api: Api, approve = false): Promise<string> {
  const secret = randomHex(20);
  const expires_ms = api.store.now() + JOIN_TOKEN_MS;
  const joins = joinGrant({ approve });
  const wish = {
    role: "agent",
    user: null,
    expires_ms,
    joins,
    detail: "agent, once, by the server's console",
  } as const;
  const { value: id } = await api.store.commit("server", (draft) => mintToken(draft, api.seed, wish, () => secret));
  return formatToken({ pin: api.identity.pin, id, secret });
}
