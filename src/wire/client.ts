// The HTTP API as functions: one method per route, typed by the schemas of wire/api. CLI, demo and tests use it.

import type { z } from "zod";
import type { EventView, WatchEvent } from "./api/watch";
import type { MeView, tokenAnswer, tokenRequest, tokenView, userRequest, userView } from "./api/access";
import type {
  AppDetail,
  applyAnswer,
  applyRequest,
  AppView,
  validateAnswer,
  validateRequest,
  WorkloadDetail,
} from "./api/apps";
import type { ExplainView, PlanView } from "./api/plans";
import type { cancelRequest, runAnswer, RunDetail, runRequest, RunView } from "./api/runs";
import type { TaskView } from "./api/tasks";
import type { drainRequest, forgetRequest, labelRequest, NodeView, taintRequest } from "./api/nodes";
import type { doneAnswer, healthView } from "./api/answers";
import type { joinAnswer, joinRequest } from "./agent";
import type { DrainProgress } from "./api/drains";
import type { TestsView } from "./node-tests";
import { eventsOf } from "./events";
import type { GpuView } from "./api/devices";
import { createRequester, type ClientRequest, type ConnectOptions, type Query } from "./request";

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
  readonly attempt?: number;
  readonly signal?: AbortSignal;
}

export interface LogAnswer {
  /** The name of the task whose output this is: `recs.api.0#2`. */
  readonly task: string;
  /** `tail`: only the last 4 KiB are left, and `notice` says why. */
  readonly kept: "whole" | "tail";
  readonly notice: string | null;
  readonly bytes: AsyncIterable<Uint8Array>;
}

type Listed<N extends string, T> = { readonly [K in N]: T[] } & { readonly next: string | null };
type Done = z.infer<typeof doneAnswer>;
type Token = z.infer<typeof tokenView>;
type User = z.infer<typeof userView>;

export type Client = ReturnType<typeof connect>;

const part = encodeURIComponent;

/** Makes a client. Nothing is sent before the first call. The server's key is checked before the token is sent. */
export function connect(options: ConnectOptions) {
  const requester = createRequester(options);
  const json = async <T>(asked: ClientRequest): Promise<T> => (await (await requester.send(asked)).json()) as T;
  const get = <T>(path: string, query: Query = {}): Promise<T> => json<T>({ method: "GET", path, query });
  const post = <T>(path: string, body: unknown = {}): Promise<T> => json<T>({ method: "POST", path, body });
  const remove = <T>(path: string): Promise<T> => json<T>({ method: "DELETE", path });

  return {
    url: options.url,
    health: () => get<z.infer<typeof healthView>>("/v1/health"),
    me: () => get<MeView>("/v1/me"),
    openapi: () => get<Record<string, unknown>>("/v1/openapi.json"),
    join: (body: z.infer<typeof joinRequest>) => post<z.infer<typeof joinAnswer>>("/v1/join", body),
    ...apps(get, post, remove, json),
    ...work(get, post),
    ...nodes(get, post),
    ...access(get, post, remove),
    /**
     * Yields the changes after the revision `since`, or from now on without it, until the connection ends. Throws when
     * the connection breaks.
     */
    watch: (since?: number, signal?: AbortSignal): AsyncIterable<WatchEvent> =>
      eventsOf(
        () => requester.send({ method: "GET", path: "/v1/watch", query: { since }, stream: true, signal }),
        options.url,
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
      return {
        task: decodeURIComponent(answer.headers.get("x-orch-task") ?? ref),
        kept: answer.headers.get("x-orch-log") === "tail" ? "tail" : "whole",
        notice: noticeOf(answer),
        bytes: answer.body ?? emptyBytes(),
      };
    },
  };
}

function noticeOf(answer: Response): string | null {
  const notice = answer.headers.get("x-orch-notice");
  return notice === null ? null : decodeURIComponent(notice);
}

async function* emptyBytes(): AsyncGenerator<Uint8Array> {
  yield* [];
}

type Get = <T>(path: string, query?: Query) => Promise<T>;
type Post = <T>(path: string, body?: unknown) => Promise<T>;
type Remove = <T>(path: string) => Promise<T>;

function apps(get: Get, post: Post, remove: Remove, json: <T>(asked: ClientRequest) => Promise<T>) {
  const at = (project: string, app: string): string => `/v1/apps/${part(project)}/${part(app)}`;
  const workloadAt = (project: string, app: string, workload: string): string =>
    `/v1/workloads/${part(project)}/${part(app)}/${part(workload)}`;
  return {
    apps: () => get<Listed<"apps", AppView>>("/v1/apps"),
    app: (project: string, app: string) => get<AppDetail>(at(project, app)),
    apply: (project: string, app: string, body: z.infer<typeof applyRequest>) =>
      json<z.infer<typeof applyAnswer>>({ method: "PUT", path: at(project, app), body }),
    removeApp: (project: string, app: string) => remove<Done>(at(project, app)),
    validate: (body: z.infer<typeof validateRequest>) => post<z.infer<typeof validateAnswer>>("/v1/validate", body),
    plan: (body: z.infer<typeof applyRequest>) => post<PlanView>("/v1/plan", body),
    workload: (project: string, app: string, workload: string) =>
      get<WorkloadDetail>(workloadAt(project, app, workload)),
    scale: (project: string, app: string, workload: string, replicas: number) =>
      post<Done>(`${workloadAt(project, app, workload)}/scale`, { replicas }),
    restart: (project: string, app: string, workload: string) =>
      post<Done>(`${workloadAt(project, app, workload)}/restart`),
  };
}

function work(get: Get, post: Post) {
  return {
    tasks: (query: { app?: string; all?: boolean } & Page = {}) =>
      get<Listed<"tasks", TaskView>>("/v1/tasks", { ...query }),
    task: (ref: string) => get<TaskView>(`/v1/tasks/${part(ref)}`),
    run: (body: z.infer<typeof runRequest>) => post<z.infer<typeof runAnswer>>("/v1/runs", body),
    /** Runs that wait or run; with `all` also finished ones, the newest first. */
    runs: (query: { all?: boolean; user?: string; project?: string; since_ms?: number } & Page = {}) =>
      get<Listed<"runs", RunView>>("/v1/runs", { ...query }),
    /** A run with its tasks, or with a page of them. */
    runInfo: (run: number | string, page: Page = {}) => get<RunDetail>(`/v1/runs/${part(String(run))}`, { ...page }),
    cancel: (run: number | string, body: z.infer<typeof cancelRequest> = { signal: null }) =>
      post<RunView>(`/v1/runs/${part(String(run))}/cancel`, body),
    explain: (ref: string) => get<ExplainView>(`/v1/explain/${part(ref)}`),
    events: (query: { object?: string; since_ms?: number } & Page = {}) =>
      get<Listed<"events", EventView>>("/v1/events", { ...query }),
  };
}

function nodes(get: Get, post: Post) {
  const at = (node: string): string => `/v1/nodes/${part(node)}`;
  return {
    nodes: () => get<Listed<"nodes", NodeView>>("/v1/nodes"),
    node: (node: string) => get<NodeView>(at(node)),
    drain: (node: string, body: z.infer<typeof drainRequest> = { deadline_ms: null, reason: null }) =>
      post<NodeView>(`${at(node)}/drain`, body),
    /** What is still on a draining node, and why. */
    drainProgress: (node: string) => get<DrainProgress>(`${at(node)}/drain`),
    resume: (node: string, skip_tests = false) =>
      post<NodeView>(`${at(node)}/resume${skip_tests ? "?skip_tests=true" : ""}`),
    /** The tests of a node, the newest first. */
    nodeTests: (node: string) => get<Listed<"tests", TestsView>>(`${at(node)}/tests`),
    testNode: (node: string) => post<NodeView>(`${at(node)}/test`),
    label: (node: string, body: z.infer<typeof labelRequest>) => post<NodeView>(`${at(node)}/label`, body),
    taint: (node: string, body: z.infer<typeof taintRequest>) => post<NodeView>(`${at(node)}/taint`, body),
    forget: (node: string, body: z.infer<typeof forgetRequest> = { fenced: false }) =>
      post<Done>(`${at(node)}/forget`, body),
    stopOrphan: (node: string, uid: string) => post<Done>(`${at(node)}/orphans/${part(uid)}/stop`),
    adoptOrphan: (node: string, uid: string) => post<Done>(`${at(node)}/orphans/${part(uid)}/adopt`),
    devices: () => get<Listed<"devices", GpuView>>("/v1/devices"),
    device: (id: string) => get<GpuView>(`/v1/devices/${part(id)}`),
  };
}

function access(get: Get, post: Post, remove: Remove) {
  return {
    newToken: (body: z.infer<typeof tokenRequest>) => post<z.infer<typeof tokenAnswer>>("/v1/tokens", body),
    tokens: () => get<Listed<"tokens", Token>>("/v1/tokens"),
    revokeToken: (id: string) => remove<Done>(`/v1/tokens/${part(id)}`),
    addUser: (body: z.infer<typeof userRequest>) => post<User>("/v1/users", body),
    users: () => get<Listed<"users", User>>("/v1/users"),
    removeUser: (name: string) => remove<Done>(`/v1/users/${part(name)}`),
  };
}
