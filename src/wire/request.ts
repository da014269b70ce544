// One request to the server: over a pinned connection, with the token, repeated when the connection broke, a refusal
// turned into an error.

import { assert } from "../core/assert";
import type { Issue } from "../spec/issue";
import type { ErrorCode } from "./api/errors";
import { DialError, proxyOf, requestOptions } from "./dial";
import { fetchCertificate, pinnedTls, pinOrNull } from "./pinned";
import { dialWords } from "./reach";
import { fromText, wholeText } from "./text";
import { parseToken } from "./token";

/** The server answered, and refused. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly status: number,
    readonly code: ErrorCode,
    message: string,
    readonly hint: string | null,
    readonly issues: readonly Issue[],
  ) {
    super(message);
  }
}

/** No answer came, or the answer came from a server that is not trusted. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
  constructor(
    message: string,
    readonly hint: string | null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface ConnectOptions {
  readonly url: string;
  readonly token: string | null;
  /**
   * The hash of the server's key. Missing: the token's. The certificate is fetched and compared at the first request.
   */
  readonly pin?: string | null;
  /**
   * The server's certificate (PEM), where it is known already. Who also gives the `pin` has both from one place that
   * is believed; otherwise its key is compared with the token's.
   */
  readonly ca?: string | null;
  /** Called with the time on the server's clock whenever an answer tells it. */
  readonly heardTime?: (server_ms: number) => void;
  /** Called for each entry of a list that cannot be read and was left out, with its place and why. */
  readonly leftOut?: (why: string) => void;
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface ClientRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  /** A body that is sent as it is, instead of `body`. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal | undefined;
  /** A stream may stay open without a time limit. */
  readonly stream?: boolean;
}

export interface Requester {
  /** Sends a request and returns the answer if it is a success. Throws ApiError and UnreachableError. */
  send(asked: ClientRequest): Promise<Response>;
}

const ANSWER_TIMEOUT_MS = 30_000;

/** Pauses before a request is repeated after a broken connection; together longer than a server takes to restart. */
const PAUSES_MS = [50, 150, 400, 1_000, 2_000, 4_000];

export function createRequester(options: ConnectOptions): Requester {
  assert(options.url.startsWith("https:"), "a server is talked to over TLS alone");
  let trusted: Promise<string> | null = null;
  let timeline = "-";
  let skew_ms = 0;

  /** Returns the certificate to require. It is looked up once, and again if that failed. */
  function certificate(): Promise<string> {
    const pin = options.pin ?? (options.token === null ? null : parseToken(options.token)?.pin);
    const known = options.ca ?? null;
    if (known !== null && (pin === options.pin || pinOrNull(known) === pin)) return Promise.resolve(known);
    if (typeof pin !== "string") {
      return Promise.reject(
        new UnreachableError(
          `nothing proves who answers at ${options.url}`,
          "Use a token as the server printed it: it holds the hash of the server's key",
        ),
      );
    }
    trusted ??= fetchCertificate(options.url, pin).catch((error: unknown) => {
      trusted = null;
      throw error;
    });
    return trusted;
  }

  async function attempt(asked: ClientRequest, key: string | null): Promise<Response> {
    const url = new URL(asked.path, options.url);
    for (const [name, value] of Object.entries(asked.query ?? {})) {
      if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers: Record<string, string> = { accept: "application/json" };
    if (options.token !== null) headers["authorization"] = `Bearer ${options.token}`;
    if (key !== null) headers["idempotency-key"] = key;
    const body = bodyIn(asked);
    if (body !== null) headers["content-type"] = body.type;
    const limit = asked.stream === true ? [] : [AbortSignal.timeout(ANSWER_TIMEOUT_MS)];
    const signals = asked.signal === undefined ? limit : [asked.signal, ...limit];
    const answer = await fetch(url, {
      method: asked.method,
      headers,
      ...requestOptions(proxyOf(options.url)),
      ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
      ...(body === null ? {} : { body: body.content }),
      tls: pinnedTls(await certificate()),
    });
    timeline = answer.headers.get("x-orch-timeline") ?? timeline;
    hear(answer, options);
    return answer;
  }

  async function send(asked: ClientRequest): Promise<Response> {
    let key = asked.method === "GET" ? null : freshKey(timeline, skew_ms);
    for (let n = 0; ; n++) {
      const answer = await attempt(asked, key).catch((error: unknown) => broken(error, asked, options.url, n));
      if (answer === null) {
        await pauseOrThrow(PAUSES_MS[n] ?? 0, asked.signal);
        continue;
      }
      if (answer.ok) return answer;
      const refusal = await refusalOf(answer);
      // A key that is too old at the first try was never used: this machine's clock is wrong, and the server's counts.
      if (refusal.code !== "gone" || key === null || n > 0 || skew_ms !== 0) throw refusal;
      skew_ms = clockOf(answer, issuedAt(key)) - issuedAt(key);
      if (skew_ms === 0) throw refusal;
      key = freshKey(timeline, skew_ms);
    }
  }
  return { send };
}

/** Returns what a request sends, and its type; null if it sends nothing. */
function bodyIn({ body, bytes }: ClientRequest): { readonly type: string; readonly content: BodyInit } | null {
  if (bytes !== undefined) return { type: "application/octet-stream", content: bytes };
  return body === undefined ? null : { type: "application/json", content: JSON.stringify(body) };
}

/** Returns the clock by which the server refused a key. Earlier releases count on the one that dates their answers. */
function clockOf(answer: Response, otherwise: number): number {
  const dated = Date.parse(answer.headers.get("date") ?? "");
  return timeIn(answer) ?? (Number.isNaN(dated) ? otherwise : dated);
}

function hear(answer: Response, { heardTime }: ConnectOptions): void {
  const server_ms = timeIn(answer);
  if (server_ms !== null) heardTime?.(server_ms);
}

/** Returns the time on the server's clock, as an answer tells it. Earlier releases do not. */
function timeIn(answer: Response): number | null {
  const told = Number(answer.headers.get("x-orch-now") ?? Number.NaN);
  return Number.isSafeInteger(told) && told > 0 ? told : null;
}

/**
 * Returns null if the request is worth repeating: the connection broke, and the server recognises the idempotency key
 * of what it has already done. Throws otherwise.
 */
function broken(error: unknown, { signal }: ClientRequest, url: string, n: number): null {
  if (error instanceof UnreachableError || signal?.aborted === true) throw error;
  if (error instanceof DialError) throw new UnreachableError(error.message, error.hint, { cause: error });
  const code = codeOf(error);
  // A server that is there and silent has had its time. Asking it again and again would look like a hang.
  if (code === "TimeoutError") throw unreachable(error, code, url);
  const never = n === 0 && (code === "ConnectionRefused" || code === "ECONNREFUSED" || !LOST.test(code));
  if (never || n >= PAUSES_MS.length) throw unreachable(error, code, url);
  return null;
}

const LOST = /reset|closed|epipe|refused|timeout|socket/i;

/** Returns the code of an error, or its name. A time limit's code is a number of the DOM's, which says nothing. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

function unreachable(error: unknown, code: string, url: string): UnreachableError {
  const cause = { cause: error };
  const words = dialWords(error, url);
  if (words !== null && proxyOf(url) !== false) {
    return new UnreachableError(`${url} cannot be reached: ${words}`, "Check ORCH_PROXY", cause);
  }
  if (/refused/i.test(code)) {
    return new UnreachableError(
      `no server answers at ${url}`,
      "Is it running (orch server), and is the address right (--url, ORCH_URL)?",
      cause,
    );
  }
  if (code === "TimeoutError") {
    return new UnreachableError(`${url} does not answer`, "Is it an orch server, and is it well?", cause);
  }
  if (/cert|verify|altname|self_?signed|tls|ssl/i.test(code)) {
    return new UnreachableError(
      `the server at ${url} is not the one that was joined: its certificate differs`,
      "If it was set up anew, log in again: orch login URL",
      cause,
    );
  }
  if (/notfound|eai_again|dns|failedtoopensocket/i.test(code)) {
    return new UnreachableError(
      `${url} cannot be reached: is the name right?`,
      "Check the address (--url, ORCH_URL)",
      cause,
    );
  }
  // The runtime's messages contain advice to programmers, which is cut off.
  const message = (error instanceof Error ? error.message : String(error)).replace(/ For more information, .*$/s, "");
  return new UnreachableError(
    `${url} cannot be reached: ${message}`,
    "Check the network and the address (--url, ORCH_URL)",
    cause,
  );
}

const MOST_REFUSAL_BYTES = 1024 * 1024;

async function refusalOf(answer: Response): Promise<ApiError> {
  const [text, { errorBody }] = await Promise.all([wholeText(answer, MOST_REFUSAL_BYTES), import("./api/errors")]);
  const read = fromText(errorBody, text ?? "");
  if (read.is === "unreadable") {
    return new ApiError(
      answer.status,
      answer.status === 404 ? "not_found" : "internal",
      `the server answered ${answer.status} with something that is not orch's`,
      "Is this the address of an orch server?",
      [],
    );
  }
  const { code, message, hint, issues } = read.value.error;
  return new ApiError(answer.status, code, message, hint, issues);
}

/**
 * Makes an idempotency key: `<issue time>-<timeline or ->-<random>`. A version 7 UUID serves as clock and as source of
 * chance, since wire stands below the shells and has no others.
 */
function freshKey(timeline: string, skew_ms: number): string {
  const uuid = Bun.randomUUIDv7().replaceAll("-", "");
  return `${Number.parseInt(uuid.slice(0, 12), 16) + skew_ms}-${timeline}-${uuid.slice(12)}`;
}

const issuedAt = (key: string): number => Number(key.slice(0, key.indexOf("-")));

/** Waits; throws the reason of `signal` when that aborts. */
function pauseOrThrow(wait_ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, wait_ms);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
      },
      { once: true },
    );
  });
}
