// The messages between server and agent, over the one WebSocket that the agent opens. Text frames are these JSON
// objects; binary frames carry tunnelled bytes, see tunnel.ts.

import { z } from "zod";
import { HOUSE_LIMITS } from "../core/limits";
import { entriesOf, int, MOST_SPAN_MS, ordersOf, prose, span, tableOf, text } from "./scalars";
import { PRESENCES } from "../core/pass/presence";
import type { Device, Reading } from "../core/model/device";
import type { Notice } from "../core/model/findings";
import type { Orphan } from "../core/model/rows-node";
import type { TestCommand, TestResult } from "../core/model/node-tests";
import type { TaskReport, Verb } from "../core/model/record";
import type { Taint } from "../core/model/workload";
import {
  amounts,
  applied,
  device,
  findingOverrides,
  nodeFacts,
  notice,
  orphan,
  passed,
  reading,
  stamp,
  taint,
  taskReport,
  verb,
} from "./nouns";
import { ECHO_BYTES, RESULTS, stepView, testCommand, testResult } from "./node-tests";

/** The version of the protocol. An agent and a server of different versions refuse each other with a clear message. */
export const PROTOCOL = 2;

// The core's own type, which is read-only throughout. nouns.ts checks the schemas against it.
const verbs = ordersOf(verb, HOUSE_LIMITS.message_orders) as z.ZodType<readonly Verb[]>;
const entries = entriesOf(taskReport, HOUSE_LIMITS.message_entries) as z.ZodType<readonly TaskReport[]>;
const devices = entriesOf(device, HOUSE_LIMITS.devices) as z.ZodType<readonly Device[]>;
const readingsOf = entriesOf(reading, HOUSE_LIMITS.devices) as z.ZodType<readonly Reading[]>;
const notices = entriesOf(notice, HOUSE_LIMITS.message_entries) as z.ZodType<readonly Notice[]>;
const taints = entriesOf(taint, HOUSE_LIMITS.label_count) as z.ZodType<readonly Taint[]>;
const testCommands = z.array(testCommand).max(RESULTS) as z.ZodType<readonly TestCommand[]>;
const testResults = z.array(testResult).max(RESULTS) as z.ZodType<readonly TestResult[]>;
const presences = entriesOf(
  z.object({ account: text, path: text.nullable(), state: z.enum(PRESENCES) }),
  HOUSE_LIMITS.message_needs,
);
const unreadable = entriesOf(orphan, HOUSE_LIMITS.message_entries) as z.ZodType<readonly Orphan[]>;

/** What an agent reports of its machine when it joins and at every hello. */
export const machine = z.object({
  fingerprint: text,
  boot_id: text,
  agent_version: prose,
  facts: nodeFacts,
  capacity: amounts,
  devices,
  pool: prose,
  labels: tableOf(text),
  taints,
});
export type Machine = z.infer<typeof machine>;

/**
 * A node's proof of identity, signed with the server's key. It re-admits a node that a restored database does not know.
 */
export const credential = z.object({
  cluster_id: text,
  node_id: text,
  name: text,
  public_key: text,
  fingerprint: text,
  /** When the key became the node's, in the server's time. Missing in credentials of earlier builds. */
  since_ms: int.optional(),
  /** The pool that the node's join token names; null if it names none. */
  pool: text.nullable().optional(),
  signature: text,
});
export type Credential = z.infer<typeof credential>;

// ---- server → agent

const challenge = z.object({ type: z.literal("challenge"), protocol: int, nonce: text, stamp });
const welcome = z.object({
  type: z.literal("welcome"),
  stamp,
  name: text,
  heartbeat_ms: int,
  /** The operators' changes to the table of findings. */
  findings: findingOverrides.default({}),
});

/**
 * Verbs for the agent. `n` counts from 1 within a session; an agent applies only the next one and ignores others. The
 * stamp's revision is the one up to which everything is told with this message: while only a part of what is newer is
 * told, it stays behind.
 */
const changes = z.object({
  type: z.literal("changes"),
  stamp,
  n: int,
  changes: verbs,
  /** Further changes wait, or would wait, until this message is applied, so the agent says at once when it is. */
  more: z.boolean().default(false),
});

/** Every report up to number `seq` is durable. */
const ack = z.object({ type: z.literal("ack"), stamp, seq: int });
const beat = z.object({
  type: z.literal("beat"),
  stamp,
  sent_ms: int,
  acked_seq: int,
  /** The server's wall clock. Null from an older server. */
  wall_ms: int.nullable().default(null),
});

/**
 * The agent's word that it leaves, or a person's word against it, is durable. From now on nothing new is placed there,
 * or new work may be placed again.
 */
const noted = z.object({ type: z.literal("noted"), stamp, leaving: z.boolean() });

/** The findings up to number `n` are durable. */
const heard = z.object({ type: z.literal("heard"), stamp, n: int });
const refused = z.object({ type: z.literal("refused"), code: text, message: prose, hint: prose.nullable() });

/** The agent may send this many further pages of its inventory. So what waits at the server is bounded. */
const more = z.object({ type: z.literal("more"), pages: int });

/** Entries of the agent's messages that the server could not read, each by its name, and why. */
const unread = z.object({
  type: z.literal("unread"),
  entries: entriesOf(z.object({ name: prose, why: prose }), HOUSE_LIMITS.message_entries),
});
const open = z.object({
  type: z.literal("open"),
  stream: int,
  credit: int,
  what: z.object({
    kind: z.literal("log"),
    uid: text,
    name: z.enum(["stdout", "stderr"]),
    offset: int,
    follow: z.boolean(),
    /** Of an element of an array, by its number: `uid` is the batch that it is in. Missing: of the task itself. */
    element: int.optional(),
    /** Only output of the last so many milliseconds; null is all. */
    since_age_ms: int.nullable(),
    /** Only the last so many lines of what is there. Missing: all. Sent only to an agent that has said `log_lines`. */
    tail_lines: int.optional(),
    /** Each line begins with its time, as `timeText` writes it. Sent only to an agent that has said `log_lines`. */
    times: z.literal(true).optional(),
  }),
});
/**
 * Why the server does not send what a `fetch` asked for. What it sends is a binary frame under the number of the fetch.
 * `gone`: it has the input no more.
 */
const unfetched = z.object({ type: z.literal("unfetched"), fetch: int, gone: z.boolean(), why: prose });
const credit = z.object({ type: z.literal("credit"), stream: int, bytes: int });
const close = z.object({ type: z.literal("close"), stream: int });

/**
 * An order to run the tests and report the results. The server sends it when the order is made, and again in every
 * session until the result is durable. An agent that has the result sends it again; an agent that is running the tests
 * goes on.
 */
const test = z.object({ type: z.literal("test"), stamp, id: text, commands: testCommands });

const need = z.object({ account: text, path: text.nullable() });

/** Asks whether the node has what work needs to find there. Sent only to an agent that has said that it looks. */
const look = z.object({ type: z.literal("look"), needs: entriesOf(need, HOUSE_LIMITS.message_needs) });

/** The agent's echo, sent back with the server's wall clock. */
const echoed = z.object({ type: z.literal("echo"), n: int, wall_ms: int, data: z.string().max(ECHO_BYTES) });

export const toAgent = z.discriminatedUnion("type", [
  challenge,
  welcome,
  changes,
  ack,
  beat,
  noted,
  heard,
  refused,
  more,
  unread,
  open,
  credit,
  close,
  unfetched,
  test,
  look,
  echoed,
]);
export type ToAgent = z.infer<typeof toAgent>;

// ---- agent → server

/** The node is about to leave in this many milliseconds, or in its own time (null). `gone`: its machine goes too. */
const leavingNote = z.object({ in_ms: span.nullable(), gone: z.boolean(), why: prose });
export type LeavingNote = z.infer<typeof leavingNote>;

/** The agent's first message, which answers the challenge. `signature` is Ed25519 over `signedText`. */
const hello = z.object({
  type: z.literal("hello"),
  protocol: int,
  credential,
  instance_id: text,
  signature: text,
  machine,
  /** The newest signed stamp that the agent has followed, or null. Without a valid signature it says nothing. */
  highest: passed.nullable(),
  applied,
  /** Whether the agent takes changed settings of its tasks. Agents of earlier releases do not. */
  sets: z.boolean().optional(),
  /** Missing: the node stays, even if it said otherwise in an earlier session. */
  leaving: leavingNote.optional(),
  /** Whether the agent answers `look`. Agents of earlier releases leave it out. */
  looks: z.boolean().optional(),
  /** Whether the agent finds the last lines of a log, and when they were written. Earlier releases leave it out. */
  log_lines: z.boolean().optional(),
});

/**
 * The part of a hello that proves who sends it. Nothing else of a hello is read before the proof holds, so that a
 * stranger's words cost little.
 */
export const proof = z.object({
  type: z.literal("hello"),
  protocol: int,
  credential,
  instance_id: text,
  signature: text,
  machine: z.object({ boot_id: text }),
});
export type Proof = z.infer<typeof proof>;

/** A page of the agent's whole inventory. Nothing is decided about the node before the last page. */
const inventory = z.object({
  type: z.literal("inventory"),
  entries,
  unreadable,
  last: z.boolean(),
});
const report = z.object({ type: z.literal("report"), seq: int, entries });
const heartbeat = z.object({
  type: z.literal("heartbeat"),
  /** The agent's own monotonic clock. The server returns it, so that a lease counts from the moment of sending. */
  sent_ms: int,
  /** The newest `n` that was applied in this session, and the revision that it stood for. */
  applied_n: int,
  applied_revision: int,
  reported_seq: int,
  /** How far the agent's wall clock is ahead of the server's. Null while it is not known, as older agents leave it. */
  skew_ms: z.int().min(-MOST_SPAN_MS).max(MOST_SPAN_MS).nullable().default(null),
});

/** The machine's facts or devices have changed while connected. */
const facts = z.object({ type: z.literal("facts"), machine });

/** The readings of the node's cards, with each heartbeat. The server keeps them in memory only. */
const readings = z.object({ type: z.literal("readings"), readings: readingsOf });

/**
 * What is wrong with the node's cards, for people. The agent sends it again in the next session until it is `heard`.
 */
const findings = z.object({ type: z.literal("findings"), findings: notices });

/** The node leaves, or stays after all (null). The server answers with `noted`. */
const leaving = z.object({ type: z.literal("leaving"), leaving: leavingNote.nullable() });

/** The node has left and nothing runs there. The agent asks to be forgotten, again and again until it is. */
const farewell = z.object({ type: z.literal("farewell") });

/** Whether this node has what work needs to find: answers to `look`, as they become known. */
const presence = z.object({ type: z.literal("presence"), answers: presences });

/** The results of the tests that were ordered under this id. */
const tested = z.object({ type: z.literal("tested"), id: text, results: testResults });

/** Which test the agent is running now: for people who wait, kept in memory only. */
const testing = z.object({ type: z.literal("testing"), id: text, ...stepView.shape });

/**
 * The server returns this message at once while the node is being tested. The agent measures round trip, rate and the
 * difference of the clocks with it.
 */
const echo = z.object({ type: z.literal("echo"), n: int, data: z.string().max(ECHO_BYTES) });

/**
 * Asks for the next part of the standard input of a task of this node, from an offset. The agent numbers what it asks
 * for, and asks for one part after the other, so that nothing piles up on the connection.
 */
const fetchPart = z.object({ type: z.literal("fetch"), fetch: int, uid: text, offset: int });
/** At which byte of the output a stream begins that was opened with `tail_lines`. */
const opened = z.object({ type: z.literal("opened"), stream: int, offset: int });
const end = z.object({ type: z.literal("end"), stream: int, error: prose.nullable() });

export const toServer = z.discriminatedUnion("type", [
  hello,
  inventory,
  report,
  heartbeat,
  facts,
  readings,
  findings,
  leaving,
  farewell,
  presence,
  tested,
  testing,
  echo,
  fetchPart,
  opened,
  end,
]);
export type ToServer = z.infer<typeof toServer>;

/**
 * Returns the text that a hello signs. It binds the nonce to the node, to this start of its agent, and to the server's
 * pinned key.
 */
export function signedText(nonce: string, node_id: string, instance_id: string, boot_id: string, pin: string): string {
  return ["orch-agent-v1", nonce, node_id, instance_id, boot_id, pin].join("\n");
}
