// The HTTP API as functions: one method per route, typed by the schemas of wire/api. CLI, demo and tests use it. The
// schemas of an answer are loaded while the answer is waited for, since a command needs few of them.

import type { z } from "zod";
import { HOUSE_LIMITS } from "../core/limits";
import type { InputRef } from "../core/model/workload";
import type { joinRequest } from "./join";
import type { grantRequest, tokenRequest, userRequest } from "./api/access";
import type { list } from "./api/answers";
import type { applyRequest, validateRequest } from "./api/apps";
import type { approveRequest, drainRequest, forgetRequest, labelRequest, taintRequest } from "./api/nodes";
import type { NameKind, NameView } from "./api/names";
import type { ElementView } from "./api/arrays";
import type { cancelRequest, runAgainRequest, RunAnswer, runRequest, settleRequest } from "./api/runs";
import type { WatchEvent } from "./api/watch";
import { eventsOf } from "./events";
import {
  ApiError,
  UnreachableError,
  createRequester,
  type ClientRequest,
  type ConnectOptions,
  type Query,
  type Requester,
} from "./request";
import { readRunAnswer } from "./api/run-answer";
import { fromListText, wholeText, type WireText } from "./text";

export { ApiError, UnreachableError, type ConnectOptions } from "./request";

export interface Page {
  readonly limit?: number;
  readonly next?: string;
}

export interface LogQuery {
  readonly stream?: "stdout" | "stderr";
  readonly follow?: boolean;
  /** Only output that was written since this Unix time. */
  readonly since_ms?: number;
  /** Only the last so many lines of what is there. */
  readonly tail?: number;
  /** Each line begins with its time: `timeText` of wire/log-times.ts. */
  readonly times?: boolean;
  /** Only from this byte on. */
  readonly offset?: number;
  readonly attempt?: number;
  readonly signal?: AbortSignal;
}

export interface LogAnswer {
  /** The name of the task whose output this is: `recs.api.0#2`. */
  readonly task: string;
  /** `tail`: only the last 4 KiB are left, and `notice` says why. */
  readonly kept: "whole" | "tail";
  readonly notice: string | null;
  /** The byte at which the lines of `tail` begin; null if they were not asked for. */
  readonly offset: number | null;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Leaves the bytes unread. */
  drop(): Promise<void>;
}

export type Client = ReturnType<typeof connect>;

const part = encodeURIComponent;

const API = {
  access: () => import("./api/access"),
  answers: () => import("./api/answers"),
  arrays: () => import("./api/arrays"),
  apps: () => import("./api/apps"),
  devices: () => import("./api/devices"),
  drains: () => import("./api/drains"),
  names: () => import("./api/names"),
  nodes: () => import("./api/nodes"),
  plans: () => import("./api/plans"),
  runs: () => import("./api/runs"),
  tasks: () => import("./api/tasks"),
  watch: () => import("./api/watch"),
} as const;

/** Loads the schema of an answer. */
type Schema<T> = () => Promise<z.ZodType<T>>;

/** Returns the loader of a schema of a module. */
const of =
  <M, K extends keyof M>(load: () => Promise<M>, name: K) =>
  async (): Promise<M[K]> =>
    (await load())[name];

/** Returns the loader of the schema of a list. */
const listOf =
  <N extends string, T extends z.ZodType>(name: N, item: () => Promise<T>) =>
  async (): Promise<ReturnType<typeof list<N, T>>> => {
    const [{ list: made }, schema] = await Promise.all([API.answers(), item()]);
    return made(name, schema);
  };

/** Makes a client. Nothing is sent before the first call. The server's key is checked before the token is sent. */
export function connect(options: ConnectOptions) {
  const requester = createRequester(options);
  const { ask, get, whole, post, run, remove } = askingBy(requester, options);
  return {
    url: options.url,
    health: () => get("/v1/health", of(API.answers, "healthView")),
    me: () => get("/v1/me", of(API.access, "meView")),
    openapi: () => get("/v1/openapi.json", of(API.answers, "anyDocument")),
    join: (body: z.input<typeof joinRequest>) =>
      post(
        "/v1/join",
        of(async () => import("./join"), "joinAnswer"),
        body,
      ),
    ...apps(get, post, remove, ask, whole, run),
    ...work(get, post, run),
    upload: (bytes: Uint8Array<ArrayBuffer>) => upload(ask, bytes),
    ...nodes(get, post, whole),
    ...access(get, post, remove, whole),
    /**
     * Yields the changes after the revision `since`, or from now on without it, until the connection ends. Throws when
     * the connection breaks.
     */
    watch: (since?: number, signal?: AbortSignal): AsyncIterable<WatchEvent> =>
      eventsOf(
        () => requester.send({ method: "GET", path: "/v1/watch", query: { since }, stream: true, signal }),
        options.url,
        since,
      ),
    async logs(ref: string, query: LogQuery = {}): Promise<LogAnswer> {
      const { signal, ...rest } = query;
      const answer = await requester.send({
        method: "GET",
        path: `/v1/tasks/${part(ref)}/logs`,
        query: { ...rest },
        stream: true,
        signal,
      });
      return logIn(answer, ref, options.url);
    },
  };
}

interface Asking {
  readonly ask: Ask;
  readonly get: Get;
  readonly whole: Whole;
  readonly post: Post;
  readonly run: Run;
  readonly remove: Remove;
}

function askingBy(requester: Requester, options: ConnectOptions): Asking {
  const askFor = async <T>(asked: ClientRequest, loading: Promise<(text: string) => WireText<T>>): Promise<T> => {
    const sending = requester.send(asked);
    const [answer, read] = await Promise.all([sending, loading]);
    const found = read(await textOf(answer, options.url));
    if (found.is === "read") return found.value;
    throw new ApiError(
      answer.status,
      "internal",
      `the server's answer is of another protocol (${found.why})`,
      "Is this the address of an orch server, and are both of the same release?",
      [],
    );
  };
  const leftOut = options.leftOut ?? (() => undefined);
  const ask: Ask = (schema, asked) =>
    askFor(
      asked,
      schema().then((loaded) => (text) => fromListText(loaded, text, leftOut)),
    );
  const get: Get = (path, schema, query = {}) => ask(schema, { method: "GET", path, query });
  const whole: Whole = async (path, name, item) => {
    const schema = listOf(name, item);
    const pages: Listed[] = [];
    for (let next: string | null | undefined; next !== null;) {
      const read = (await get(path, schema, { next })) as Listed;
      pages.push(read);
      // A list that goes on without an entry would never end.
      next = itemsOf(read, name).length === 0 ? null : read.next;
    }
    return { [name]: pages.flatMap((one) => itemsOf(one, name)), next: null } as z.infer<
      Awaited<ReturnType<typeof schema>>
    >;
  };
  const post: Post = (path, schema, body = {}) => ask(schema, { method: "POST", path, body });
  const run: Run = (path, body) => askFor({ method: "POST", path, body }, Promise.resolve(readRunAnswer));
  const remove: Remove = (path, schema) => ask(schema, { method: "DELETE", path });
  return { ask, get, whole, post, run, remove };
}

function logIn(answer: Response, ref: string, url: string): LogAnswer {
  const said = (name: string): string | null => answer.headers.get(name);
  const [notice, offset] = [said("x-orch-notice"), said("x-orch-log-offset")];
  return {
    task: decodeURIComponent(said("x-orch-task") ?? ref),
    kept: said("x-orch-log") === "tail" ? "tail" : "whole",
    notice: notice === null ? null : decodeURIComponent(notice),
    offset: offset === null ? null : Number(offset),
    bytes: bytesOf(answer, url),
    drop: async () => answer.body?.cancel(),
  };
}

/** Yields the bytes of an answer. Throws if it breaks off, which may be before they are asked for. */
async function* bytesOf(answer: Response, url: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const bytes of answer.body ?? []) yield bytes;
  } catch (error) {
    throw new UnreachableError(`the connection to ${url} was lost`, "What came is not all of it", { cause: error });
  }
}

/** The body of an answer may break off like any other part of a connection. */
async function textOf(answer: Response, url: string): Promise<string> {
  try {
    const text = await wholeText(answer, MOST_BYTES);
    if (text !== null) return text;
  } catch (error) {
    const hint = "What was asked for may have been done: look before asking again";
    throw new UnreachableError(`the connection to ${url} was lost`, hint, { cause: error });
  }
  throw new UnreachableError(`the answer of ${url} does not end`, "Is this the address of an orch server?");
}

/** The most bytes of an answer that is read as a whole. The longest are pages of lists. */
const MOST_BYTES = 256 * 1024 * 1024;

type Ask = <T>(schema: Schema<T>, asked: ClientRequest) => Promise<T>;
type Get = <T>(path: string, schema: Schema<T>, query?: Query) => Promise<T>;
type Post = <T>(path: string, schema: Schema<T>, body?: unknown) => Promise<T>;
/** Asks for a run, and reads the answer. */
type Run = (path: string, body: unknown) => Promise<RunAnswer>;
/** A page of a list, whichever it is: `next`, and the items under their name. */
type Listed = Readonly<Record<string, unknown>> & { readonly next: string | null };
const itemsOf = (page: Listed, name: string): unknown[] => page[name] as unknown[];

/** Reads a list to its end, page by page. */
type Whole = <N extends string, T extends z.ZodType>(
  path: string,
  name: N,
  item: () => Promise<T>,
) => Promise<z.infer<ReturnType<typeof list<N, T>>>>;
type Remove = <T>(path: string, schema: Schema<T>) => Promise<T>;

function apps(get: Get, post: Post, remove: Remove, ask: Ask, whole: Whole, run: Run) {
  const at = (project: string, app: string): string => `/v1/apps/${part(project)}/${part(app)}`;
  const workloadAt = (project: string, app: string, workload: string): string =>
    `/v1/workloads/${part(project)}/${part(app)}/${part(workload)}`;
  return {
    apps: () => whole("/v1/apps", "apps", of(API.apps, "appView")),
    app: (project: string, app: string) => get(at(project, app), of(API.apps, "appDetail")),
    apply: (project: string, app: string, body: z.infer<typeof applyRequest>) =>
      ask(of(API.apps, "applyAnswer"), { method: "PUT", path: at(project, app), body }),
    removeApp: (project: string, app: string) => remove(at(project, app), of(API.answers, "doneAnswer")),
    validate: (body: z.infer<typeof validateRequest>) => post("/v1/validate", of(API.apps, "validateAnswer"), body),
    plan: (body: z.infer<typeof applyRequest>) => post("/v1/plan", of(API.plans, "planView"), body),
    workload: (project: string, app: string, workload: string, values = false) =>
      get(workloadAt(project, app, workload), of(API.apps, "workloadDetail"), values ? { values } : {}),
    scale: (project: string, app: string, workload: string, replicas: number) =>
      post(`${workloadAt(project, app, workload)}/scale`, of(API.apps, "scaleAnswer"), { replicas }),
    restart: (project: string, app: string, workload: string) =>
      post(`${workloadAt(project, app, workload)}/restart`, of(API.answers, "doneAnswer")),
    runAgain: (project: string, app: string, workload: string, body: z.input<typeof runAgainRequest> = {}) =>
      run(`${workloadAt(project, app, workload)}/run`, body),
  };
}

/** How a name is looked up. `several`: all that fit. `own`: what is another project's needs PROJECT/ before it. */
export interface NameQuery {
  readonly kinds?: readonly NameKind[];
  readonly several?: boolean;
  readonly own?: boolean;
}

function work(get: Get, post: Post, run: Run) {
  const names = async (ref: string, { kinds, ...query }: NameQuery = {}): Promise<NameView[]> => {
    const wish = { ...query, ...(kinds === undefined ? {} : { kinds: kinds.join() }) };
    return (await get(`/v1/names/${part(ref)}`, of(API.names, "namesAnswer"), wish)).names;
  };
  return {
    /** What a typed name means: all that fit. */
    names: (ref: string, query: Omit<NameQuery, "several"> = {}) => names(ref, { ...query, several: true }),
    /** The only thing that a typed name means. */
    async name(ref: string, query: Omit<NameQuery, "several"> = {}): Promise<NameView> {
      const [found] = await names(ref, query);
      if (found === undefined) throw new ApiError(404, "not_found", `there is nothing called ${ref}`, null, []);
      return found;
    },
    tasks: (query: { app?: string; of?: string; all?: boolean; pending?: boolean } & Page = {}) =>
      get("/v1/tasks", listOf("tasks", of(API.tasks, "taskView")), { ...query }),
    task: (ref: string) => get(`/v1/tasks/${part(ref)}`, of(API.tasks, "taskView")),
    run: (body: z.infer<typeof runRequest>) => run("/v1/runs", body),
    /** Runs that wait or run; with `all` also finished ones, the newest first. */
    runs: (query: { all?: boolean; user?: string; project?: string; since_ms?: number } & Page = {}) =>
      get("/v1/runs", listOf("runs", of(API.runs, "runView")), { ...query }),
    /** A run with its tasks, or with a page of them. */
    runInfo: (run: number | string, page: Page & { readonly values?: boolean } = {}) =>
      get(`/v1/runs/${part(String(run))}`, of(API.runs, "runDetail"), { ...page }),
    /** The elements of an array: a page of them, or one. */
    elements: (run: number | string, query: { state?: ElementView["state"]; slot?: number } & Page = {}) =>
      get(`/v1/runs/${part(String(run))}/elements`, of(API.arrays, "elementsAnswer"), { ...query }),
    cancel: (run: number | string, body: z.infer<typeof cancelRequest> = { signal: null }) =>
      post(`/v1/runs/${part(String(run))}/cancel`, of(API.runs, "runView"), body),
    retry: (run: number | string) => post(`/v1/runs/${part(String(run))}/retry`, of(API.runs, "retryAnswer")),
    settle: (run: number | string, body: z.infer<typeof settleRequest>) =>
      post(`/v1/runs/${part(String(run))}/settle`, of(API.runs, "runView"), body),
    explain: (ref: string) => get(`/v1/explain/${part(ref)}`, of(API.plans, "explainView")),
    events: (query: { object?: string; since_ms?: number } & Page = {}) =>
      get("/v1/events", of(API.watch, "eventsAnswer"), { ...query }),
  };
}

/** How much of an input is sent at once. It is less than the server takes of a body. */
const UPLOAD_BYTES = HOUSE_LIMITS.body_bytes / 2;

/** How many times all of it is sent before it is given up. */
const MOST_TIMES = 5;

/** Uploads the standard input of a run, and returns what names it. What is at the server already is not sent again. */
async function upload(ask: Ask, content: Uint8Array<ArrayBuffer>): Promise<InputRef> {
  const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
  const ref = { sha256, bytes: content.length };
  let offset = 0;
  // A server that was restarted has forgotten what it had, and is sent it again.
  for (let parts = 0; offset < ref.bytes; parts++) {
    if (parts * UPLOAD_BYTES > MOST_TIMES * ref.bytes + UPLOAD_BYTES) {
      throw new UnreachableError("the server forgets the standard input again and again", "Is it well?");
    }
    const bytes = content.subarray(offset, offset + UPLOAD_BYTES);
    const query = { bytes: ref.bytes, offset };
    const { received_bytes } = await ask(of(API.runs, "inputAnswer"), {
      method: "PUT",
      path: `/v1/inputs/${sha256}`,
      query,
      bytes,
    });
    offset = received_bytes;
  }
  return ref;
}

function nodes(get: Get, post: Post, whole: Whole) {
  const at = (node: string): string => `/v1/nodes/${part(node)}`;
  return {
    nodes: () => whole("/v1/nodes", "nodes", of(API.nodes, "nodeView")),
    node: (node: string) => get(at(node), of(API.nodes, "nodeView")),
    drain: (node: string, body: z.infer<typeof drainRequest> = { deadline_ms: null, reason: null }) =>
      post(`${at(node)}/drain`, of(API.nodes, "nodeView"), body),
    /** What is still on a draining node, and why. */
    drainProgress: (node: string) => get(`${at(node)}/drain`, of(API.drains, "drainProgress")),
    resume: (node: string, skip_tests = false) =>
      post(`${at(node)}/resume${skip_tests ? "?skip_tests=true" : ""}`, of(API.nodes, "nodeView")),
    /** The tests of a node, the newest first. */
    nodeTests: (node: string) =>
      whole(
        `${at(node)}/tests`,
        "tests",
        of(async () => import("./node-tests"), "testsView"),
      ),
    testNode: (node: string) => post(`${at(node)}/test`, of(API.nodes, "nodeView")),
    label: (node: string, body: z.infer<typeof labelRequest>) =>
      post(`${at(node)}/label`, of(API.nodes, "nodeView"), body),
    taint: (node: string, body: z.infer<typeof taintRequest>) =>
      post(`${at(node)}/taint`, of(API.nodes, "nodeView"), body),
    approve: (node: string, body: z.infer<typeof approveRequest>) =>
      post(`${at(node)}/approve`, of(API.nodes, "nodeView"), body),
    refuse: (node: string) => post(`${at(node)}/refuse`, of(API.answers, "doneAnswer")),
    forget: (node: string, body: z.input<typeof forgetRequest> = { fenced: false }) =>
      post(`${at(node)}/forget`, of(API.answers, "doneAnswer"), body),
    stopOrphan: (node: string, uid: string) =>
      post(`${at(node)}/orphans/${part(uid)}/stop`, of(API.answers, "doneAnswer")),
    adoptOrphan: (node: string, uid: string) =>
      post(`${at(node)}/orphans/${part(uid)}/adopt`, of(API.answers, "doneAnswer")),
    devices: () => whole("/v1/devices", "devices", of(API.devices, "gpuView")),
    device: (id: string) => get(`/v1/devices/${part(id)}`, of(API.devices, "gpuView")),
  };
}

function access(get: Get, post: Post, remove: Remove, whole: Whole) {
  return {
    newToken: (body: z.infer<typeof tokenRequest>) => post("/v1/tokens", of(API.access, "tokenAnswer"), body),
    tokens: () => whole("/v1/tokens", "tokens", of(API.access, "tokenView")),
    revokeToken: (id: string, only = false) =>
      remove(`/v1/tokens/${part(id)}${only ? "?only=true" : ""}`, of(API.answers, "doneAnswer")),
    addUser: (body: z.infer<typeof userRequest>) => post("/v1/users", of(API.access, "userAnswer"), body),
    grantAccounts: (name: string, body: z.infer<typeof grantRequest>) =>
      post(`/v1/users/${part(name)}/accounts`, of(API.access, "userAnswer"), body),
    users: () => whole("/v1/users", "users", of(API.access, "userView")),
    removeUser: (name: string) => remove(`/v1/users/${part(name)}`, of(API.answers, "doneAnswer")),
  };
}
