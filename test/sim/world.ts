// One world of one seed: machines, their agents, a network, a server with its database, and the truth about all of
// them. Everything that happens goes through here, so that it is one sequence.

import type { Change } from "../../src/core/model/rows-state";
import type { TaskRecord } from "../../src/core/model/record";
import { isEnd } from "../../src/core/model/task";
import { traceOf } from "../../src/os/errors";
import type { Agent, AgentWorld } from "./agent";
import { emptyDatabase, type Database } from "./database";
import { drawError } from "./clocks";
import { drawFaults, type Faults } from "./faults";
import { makeHost, type Host } from "./host";
import { drawOrdersBytes, SIM_LIMITS } from "./limits";
import { checkWrote, elementsWorld } from "./array-checks";
import { watchElements, type Executions } from "./elements";
import { openLedger, type Ledger } from "./ledger";
import { watchLives, type Lives } from "./lives";
import { checkClean } from "./card-gate";
import { makeKeeper, type Keeper, type Watchers } from "./keeper";
import type { Machine } from "./machine";
import { makeNetwork, type Link, type Network } from "./network";
import { makeMachine } from "./nodes";
import { checkFence } from "./fences";
import { mayOverlap } from "./overlap";
import { seeded, type Random } from "./random";
import { ambushAgent, ambushElement, ambushInventory, ambushReport, ambushServer, ambushWait } from "./ambush";
import { makeSchedule, type Schedule } from "./schedule";
import { checkContact, checkSilence, noteDrop } from "./reach";
import { isUnknowable } from "./unknowable";
import { checkSent, checkTimeline } from "./sent";
import { crashAgent } from "./processes";
import { acceptLink, killServer, type Server, type ServerWorld } from "./server";
import { lieInstead } from "./liars";
import { installSockets } from "./socket";
import { makeSqliteHome, type SqliteHome } from "./sqlite";
import { makeTrace, type Trace } from "./trace";
import { demand, Violation } from "./violation";

/** The file beside the database. It is lost only with the whole directory. */
export interface Guard {
  epoch: number;
  next_run: number;
}

export interface World {
  readonly seed: string;
  readonly faults: Faults;
  readonly schedule: Schedule;
  readonly trace: Trace;
  readonly host: Host;
  readonly network: Network;
  readonly keeper: Keeper;
  readonly lives: Lives;
  readonly elements: Executions;
  readonly ledger: Ledger;
  readonly agents: Map<string, Agent>;
  readonly machines: Machine[];
  /** The machine of every node that ever joined, by node id. */
  readonly nodes: Map<string, Machine>;
  /** Nodes that cannot be asked any more: an operator gave them up, or a disk was lost. */
  readonly givenUp: Set<string>;
  database: Database;
  guard: Guard;
  server: Server | null;
  /** Copies of the database that somebody made, oldest first. */
  readonly backups: Database[];
  readonly dice: Readonly<
    Record<
      "troubles" | "ambush" | "copies" | "people" | "work" | "lies" | "company" | "crowd" | "arrays" | "bursts",
      Random
    >
  >;
  /** The first broken invariant, even if the code under test caught it. */
  broken: Violation | null;
  /** Whether no new faults happen from now on. */
  calm: boolean;
  /** No other fault happens before this time, so that one can run its course. */
  quiet_until_ms: number;
  slowCommits: boolean;
  /** When the present server was started. */
  server_since_ms: number;
  /** Whether a copy was restored at some time. */
  restored: boolean;
  /** Whether a wrong database is in place. Nobody works with it, and no agent may follow it. */
  wrongDatabase: boolean;
  /** Since when each machine's agent can be heard; see reach.ts. */
  readonly heardSince: Map<string, number>;
  readonly cutForEver: Set<string>;
  /** The timeline that last assigned each task, by uid. */
  readonly assignedOn: Map<string, string>;
  /** Machines that lost their agent's disk. */
  readonly lostDisks: Set<string>;
  /** Tasks whose record, claim or keeper was lost, so that nobody may know how they end. */
  readonly unknowable: Set<string>;
  /** Tasks of which an inventory told what nobody can read. */
  readonly misread: Set<string>;
  /** Runs that a person had tried again, and runs that a person has called a success. */
  readonly retried: Set<string>;
  readonly declared: Set<string>;
  /** What people have yet to repair. */
  readonly undo: (() => void)[];
  readonly agentWorld: AgentWorld;
  readonly serverWorld: ServerWorld;
  /** Changes that were answered with success. They must still exist. */
  readonly acks: Ack[];
  close(): void;
}

export interface Ack {
  readonly what: string;
  readonly timeline: string;
  readonly revision: number;
  readonly holds: (database: Database) => boolean;
}

/** Keeps the first violation that `what` throws, since the code under test may catch it. */
function watched<A extends unknown[]>(world: () => World, what: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      what(...args);
    } catch (error) {
      world().broken ??=
        error instanceof Violation ? error : new Violation("the simulator itself holds", traceOf(error));
      throw error;
    }
  };
}

/** Checks that an exclusive task begins only while the server will count on this node for long enough. */
function checkLease(machine: Machine, { assignment }: TaskRecord, now_ms: number): void {
  const { lease_ms, stop } = assignment;
  if (lease_ms === null) return;
  const until_ms = (machine.run.told_ms ?? Number.NEGATIVE_INFINITY) + lease_ms - stop.grace_ms;
  demand(until_ms > now_ms, "19: no start without a valid lease", () => `${assignment.name} on ${machine.id}`);
}

/** Checks that an attempt waits for its back-off, however often its agent was started again meanwhile. */
function checkWait(machine: Machine, { assignment }: TaskRecord, now_ms: number): void {
  demand(
    (machine.waits.get(assignment.uid) ?? 0) <= now_ms,
    "28: a back-off is counted on the boot clock",
    () => `${assignment.name} on ${machine.id}`,
  );
}

const fail = (why: string): void => {
  throw new Violation("no part of ours fails", why);
};

export function makeWorld(seed: string): World {
  const random = seeded(seed);
  const schedule = makeSchedule();
  const trace = makeTrace(() => schedule.now_ms);
  const faults = drawFaults(random.fork("faults"));
  const host = makeHost(schedule);
  const network = makeNetwork(schedule, random.fork("network"), faults);
  const nodes = random.fork("nodes");
  const found = (): World => world;
  const truth = watchTruth(found, { schedule, trace });
  const wrote: Watchers["wrote"] = (...said) => checkWrote(found(), ...said);
  const keeper = makeKeeper(schedule, random.fork("keeper"), { ...truth, wrote }, () => found().calm);
  const home = faults.sqlite ? makeSqliteHome() : null;
  const restoreTimers = host.install();
  const agentWorld = agentWorldOf(found, { random, schedule, trace, host, keeper });
  const serverWorld = serverWorldOf(found, { random, schedule, trace, host, network, home });
  const restoreSockets = plugIn(found, { agentWorld, serverWorld, host, network });
  const world: World = {
    ...atTheBeginning(random),
    ...truth,
    seed,
    faults,
    schedule,
    trace,
    host,
    network,
    keeper,
    machines: Array.from({ length: faults.nodes }, (_, n) => makeMachine(`m${n + 1}`, nodes, faults.cores)),
    agentWorld,
    serverWorld,
    close: () => {
      if (home !== null && world.server !== null) killServer(serverWorld, world.server);
      home?.remove();
      restoreSockets();
      restoreTimers();
    },
  };
  return world;
}

type Found = () => World;

/** Returns what a world has before anything has happened. */
const atTheBeginning = (random: Random) => ({
  agents: new Map<string, Agent>(),
  nodes: new Map<string, Machine>(),
  guard: { epoch: 0, next_run: 0 },
  server: null,
  backups: [],
  acks: [],
  broken: null,
  calm: false,
  quiet_until_ms: 0,
  slowCommits: false,
  server_since_ms: 0,
  restored: false,
  wrongDatabase: false,
  assignedOn: new Map<string, string>(),
  lostDisks: new Set<string>(),
  unknowable: new Set<string>(),
  misread: new Set<string>(),
  retried: new Set<string>(),
  declared: new Set<string>(),
  cutForEver: new Set<string>(),
  heardSince: new Map<string, number>(),
  undo: [],
  dice: {
    troubles: random.fork("troubles"),
    ambush: random.fork("ambush"),
    copies: random.fork("copies"),
    people: random.fork("people"),
    work: random.fork("work"),
    lies: random.fork("lies"),
    company: random.fork("company"),
    crowd: random.fork("crowd"),
    arrays: random.fork("arrays"),
    bursts: random.fork("bursts"),
  },
});

/** Makes the first database, and the checks that hold everything that happens against it and against each other. */
function watchTruth(
  world: Found,
  { schedule, trace }: Pick<World, "schedule" | "trace">,
): Pick<World, "database" | "givenUp" | "ledger" | "lives" | "elements"> {
  const database = emptyDatabase("cluster", "timeline-1");
  const givenUp = new Set<string>();
  const ledger: Ledger = openLedger(
    {
      note: trace.note,
      lives: () => lives,
      isGivenUp: (id) => givenUp.has(id),
      silent: (node) => checkContact(world(), node),
      bootOf: (id) => world().nodes.get(id)?.boot_id ?? null,
      isUnknowable: (row) => isUnknowable(world(), row),
      isDeclared: (run_uid) => world().declared.has(run_uid),
      isRestored: () => world().restored,
      writtenOff: (row) => checkSilence(world(), row),
      arrays: () => world(),
    },
    database,
  );
  const lives: Lives = watchLives({
    now: () => schedule.now_ms,
    note: trace.note,
    row: (uid) => ledger.rows.get(uid) ?? null,
    isGang: ({ spec_hash }) => (world().database.specs.get(spec_hash)?.members ?? 1) > 1,
    isRestored: () => world().restored,
    begins: (machine, uid) => checkTimeline(world(), machine, uid),
    bookedAs: (uid) => {
      const observed = world().database.ended_tasks.get(uid)?.observed;
      return observed !== undefined && isEnd(observed) ? observed.state : null;
    },
    mayRepeat: (uid) =>
      world().retried.has(uid) || world().database.state.runs.get(uid)?.settings.on_unknown_end === "retry",
    mayOverlap: (older, newer) => mayOverlap(world(), older, newer),
    retries: (uid, run_uid) =>
      ledger.retries.get(uid) ?? world().database.state.runs.get(run_uid)?.settings.retries ?? Number.POSITIVE_INFINITY,
  });
  const elements = watchElements(
    elementsWorld(world, {
      now: () => schedule.now_ms,
      note: trace.note,
      began: (machine) => ambushElement(world(), machine),
    }),
  );
  return { database, givenUp, ledger, lives, elements };
}

type Parts<K extends keyof World> = Pick<World, "schedule" | "trace" | "host" | K> & { readonly random: Random };

function agentWorldOf(world: Found, { random, schedule, trace, host, keeper }: Parts<"keeper">): AgentWorld {
  return {
    schedule,
    random: random.fork("agents"),
    host,
    keeper,
    note: trace.note,
    machines: new Map(),
    isCalm: () => world().calm,
    writeDelay: () => (world().calm ? 4 : world().faults.write_ms),
    starts: watched(world, (machine: Machine, record: TaskRecord, start: () => void) => {
      demand(
        record.stop === null && record.end === null,
        "12: what was stopped is never started",
        () => `${record.assignment.name} on ${machine.id}`,
      );
      checkLease(machine, record, schedule.now_ms);
      checkWait(machine, record, schedule.now_ms);
      checkClean(machine, record);
      start();
    }),
    waits: (machine) => ambushWait(world(), machine),
    ended: watched(world, (machine: Machine, record: TaskRecord) => world().lives.recordEnded(machine, record)),
    fenced: watched(world, checkFence),
    failed: watched(world, fail),
    gaveUp: (agent, why) => {
      trace.note(`agent ${agent.machine.id} gives up: ${why.code}`);
      crashAgent(world(), agent.machine);
    },
  };
}

function serverWorldOf(
  world: Found,
  { random, schedule, trace, host, network, home }: Parts<"network"> & { readonly home: SqliteHome | null },
): ServerWorld {
  const commits = random.fork("commits");
  return {
    home,
    schedule,
    random: random.fork("server"),
    host,
    network,
    limits: SIM_LIMITS,
    orders_bytes: drawOrdersBytes(random.fork("orders")),
    clocks: { wall_ms: drawError(random.fork("server's clock")) },
    note: trace.note,
    failed: watched(world, fail),
    commitDelay: () => (world().slowCommits ? commits.int(0, 2_000) : commits.int(0, 3)),
    writing: () => ambushServer(world()),
    committed: watched(world, (changes: readonly Change[]) => {
      world().ledger.committed(changes);
      ambushServer(world());
    }),
    sent: watched(world, (link: Link, data: string) => {
      checkSent(world(), link, data);
      ambushAgent(world(), link, data);
    }),
    dropped: ({ machine }, data) => noteDrop(world(), machine, data),
  };
}

/** Installs the virtual sockets. Returns a function that restores the real ones. */
function plugIn(
  world: Found,
  { agentWorld, serverWorld, host, network }: Pick<World, "agentWorld" | "serverWorld" | "host" | "network">,
): () => void {
  return installSockets({
    host,
    network,
    machines: agentWorld.machines,
    sent: (machine, data) => {
      ambushInventory(world(), machine, data);
      ambushReport(world(), data);
    },
    carried: (machine, data) => lieInstead(world(), machine, data),
    accept: (link) => {
      const { server } = world();
      return server === null ? null : acceptLink(serverWorld, server, link);
    },
  });
}
