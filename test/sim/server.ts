// A server process over a simulated database: the real loop, sessions and admission, on virtual time and virtual
// sockets. Killing it loses all of them. The database and the file beside it stay.

import { createInputs } from "../../src/server/inputs";
import type { PlanLimits } from "../../src/core/pass/snapshot";
import { traceOf } from "../../src/os/errors";
import { type AgentSocket, type Context, createContext } from "../../src/server/context";
import type { Loop } from "../../src/server/loop";
import { createSessions, type Sessions } from "../../src/server/agents/sessions";
import { openSimStore, type Database, type SimStore, type StoreWorld } from "./database";
import { wallOf } from "./clocks";
import { newOwner, type Host, type Owner } from "./host";
import { identityOf } from "../support/keys";
import type { End, Link, Network } from "./network";
import { openSqliteStore, type SqliteHome } from "./sqlite";

export interface ServerWorld extends StoreWorld {
  readonly host: Host;
  readonly network: Network;
  readonly limits: PlanLimits;
  readonly orders_bytes: number;
  /** How far the wall clock of the server's machine is wrong. */
  readonly clocks: { wall_ms: number };
  /** The directory with SQLite's files, in worlds that have them. */
  readonly home: SqliteHome | null;
  readonly note: (what: string) => void;
  /** Called with what is sent to a node before it travels. */
  readonly sent: (link: Link, data: string) => void;
  /** Called with what the network did not take. */
  readonly dropped: (link: Link, data: string) => void;
}

export interface Server {
  readonly owner: Owner;
  readonly store: SimStore;
  readonly loop: Loop;
  readonly sessions: Sessions;
  readonly context: Context;
}

/** Opens the database and raises its epoch, as must happen before anybody may reach the server. */
function openDatabase(world: ServerWorld, database: Database): SimStore {
  if (world.home !== null) return openSqliteStore(world, world.home, database);
  const { cluster } = database.state;
  database.state.cluster = { ...cluster, epoch: cluster.epoch + 1, revision: cluster.revision + 1 };
  return openSimStore(world, database);
}

export function startServer(world: ServerWorld, database: Database): Server {
  const owner = newOwner("server");
  let server: Server | null = null;
  world.host.enter(owner, () => {
    const store = openDatabase(world, database);
    const { cluster_id } = store.state.cluster;
    const { limits, orders_bytes } = world;
    const seed = (): string => world.random.hex(32);
    const clock = (): number => world.schedule.now_ms;
    const failed = (why: string): void => {
      if (owner.state !== "dead") world.failed(why);
    };
    const say = (line: string): void => {
      world.note(`server says: ${line}`);
      if (/^agent session \d+:/.test(line)) failed(line);
    };
    const context = createContext({
      store,
      limits,
      orders_bytes,
      findings: {},
      node_tests: [],
      identity: identityOf(cluster_id),
      inputs: createInputs({ dir: "/nowhere", clock, runs: () => [] }),
      clock,
      wall: () => wallOf(world.clocks, world.schedule.now_ms),
      seed,
      process: { uid: 990, boot_id: "the server's boot" },
      version: "sim",
      say,
      failed: (error) => failed(traceOf(error)),
    });
    const { loop } = context;
    server = { owner, store, loop, sessions: createSessions(context), context };
    loop.wake();
  });
  if (server === null) throw new Error("the server did not start");
  return server;
}

/**
 * Kills the server like SIGKILL. Its memory is gone. Connections break, unless its machine goes down too (`silently`).
 */
export function killServer(world: ServerWorld, server: Server, silently = false): void {
  server.owner.state = "dead";
  server.store.crash();
  world.network.breakEnds(() => true, "down", silently);
}

/** Makes the server's end of a new connection. */
export function acceptLink(world: ServerWorld, server: Server, link: Link): End {
  const { handlers } = server.sessions;
  const socket: AgentSocket = {
    remote: link.machine,
    send: (data) => {
      if (typeof data !== "string") throw new Error("no logs are asked for");
      world.sent(link, data);
      if (world.network.send(link, "down", data)) return data.length;
      world.dropped(link, data);
      return 0;
    },
    close: (code, reason) => world.network.close(link, "down", code, reason),
    patience: () => undefined,
    waiting: () => 0,
  };
  world.host.enter(server.owner, () => handlers.open(socket));
  return {
    open: true,
    hear: (data) => world.host.enter(server.owner, () => handlers.message(socket, data)),
    closed: () => world.host.enter(server.owner, () => handlers.close(socket)),
  };
}
