// The port: passes requests to the app and agents' WebSockets to the sessions, within size and time limits.

import { CONNECTION_TIMES, HOUSE_LIMITS } from "../core/limits";
import { within } from "../os/clock";
import type { App } from "./app";
import type { AgentSocket, AgentSocketHandlers } from "./context";
import type { Quotas } from "./http/quotas";
import { listenError, type Listen } from "./http/listen";
import { createStrangers, type Stranger, type Strangers } from "./http/strangers";
import type { PathLink } from "./routes/route";

/** The data of a connection. Its socket is the object by which the sessions identify the connection. */
interface Data {
  readonly remote: string;
  socket: AgentSocket | null;
  /** Closes a connection whose agent does not prove in time who it is. */
  deadline: ReturnType<typeof setTimeout> | null;
  readonly stranger: Stranger;
}

const UNHEARD = 1008;
/** How long open requests may go on when the port is closed. */
const ENDING_MS = 500;

export function openPort(
  app: App,
  quotas: Quotas,
  handlers: AgentSocketHandlers,
  listen: Listen,
  tls: Bun.TLSOptions,
): Bun.Server<Data> {
  const strangers = createStrangers(quotas);
  try {
    // `development: false` by itself lets two servers share the port. The second one must be refused.
    return Bun.serve<Data>({
      hostname: listen.host,
      port: listen.port,
      reusePort: false,
      tls,
      development: false,
      // A larger body is refused in words, by `bodyOf`, which reads none of it. The runtime's own refusal is empty.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      idleTimeout: 30,
      fetch: (request, server) => app.fetch(request, { link: linkOf(request, server, strangers) }),
      websocket: websocketOf(handlers, strangers),
    });
  } catch (error) {
    throw listenError(error, `${listen.host}:${listen.port}`);
  }
}

function linkOf(request: Request, server: Bun.Server<Data>, strangers: Strangers): PathLink {
  const source = server.requestIP(request)?.address ?? "unknown";
  return {
    source,
    keepOpen: () => server.timeout(request, 0),
    upgrade() {
      if (server.pendingWebSockets >= HOUSE_LIMITS.connections) return false;
      const stranger = strangers.admit(source);
      const upgraded = server.upgrade(request, { data: { remote: source, socket: null, deadline: null, stranger } });
      if (!upgraded) stranger.leave();
      return upgraded;
    },
  };
}

function websocketOf(handlers: AgentSocketHandlers, strangers: Strangers): Bun.WebSocketHandler<Data> {
  const of = (ws: Bun.ServerWebSocket<Data>): AgentSocket =>
    (ws.data.socket ??= {
      remote: ws.data.remote,
      send: (data) => ws.send(data),
      waiting: () => ws.getBufferedAmount(),
      close(code, reason) {
        ws.close(code, reason);
        // The other end may be gone without a word, and would never complete the closing handshake.
        setTimeout(() => ws.terminate(), CONNECTION_TIMES.farewell_ms);
      },
      patience(within_ms, known) {
        if (ws.data.deadline !== null) clearTimeout(ws.data.deadline);
        if (known === "known") strangers.proven(ws.data.stranger);
        if (within_ms === null) ws.data.stranger.leave();
        ws.data.deadline =
          within_ms === null ? null : setTimeout(() => ws.close(UNHEARD, "no proof came in time"), within_ms);
      },
    });
  return {
    maxPayloadLength: HOUSE_LIMITS.message_bytes,
    backpressureLimit: 4 * HOUSE_LIMITS.message_bytes,
    closeOnBackpressureLimit: true,
    idleTimeout: 60,
    sendPings: true,
    perMessageDeflate: false,
    open(ws) {
      ws.data.stranger.cut = () => ws.terminate();
      handlers.open(of(ws));
    },
    message: (ws, data) => handlers.message(of(ws), data),
    drain: (ws) => handlers.drain(of(ws)),
    close(ws) {
      if (ws.data.deadline !== null) clearTimeout(ws.data.deadline);
      ws.data.stranger.leave();
      handlers.close(of(ws));
    },
  };
}

/** Closes the port: no new requests, then a pause for open ones to end, then the end of the rest. */
export async function closePort(server: Bun.Server<Data>): Promise<void> {
  await within(ENDING_MS, server.stop(false), undefined);
  await server.stop(true);
}
