// What the routes share beyond the context: sessions, watchers, and how this server is addressed.

import { type Auth, createAuth } from "../access/auth";
import { type Context, createContext, type Ground } from "../context";
import { createSessions, type Sessions } from "../agents/sessions";
import { createLongAnswers, type LongAnswers } from "../http/long-answers";
import { createQuotas, type Quotas } from "../http/quotas";
import { createWatch, type Watch } from "../watch";
import { createTurns } from "../work/dry";

export interface Api extends Context {
  readonly auth: Auth;
  readonly sessions: Sessions;
  readonly watch: Watch;
  readonly quotas: Quotas;
  readonly longAnswers: LongAnswers;
  /** Dry runs take turns: a pass of one of them is as long as a pass of the loop. */
  readonly dryTurn: ReturnType<typeof createTurns>;
  /** Names, besides IP literals and localhost, under which requests may come; in lower case. */
  readonly hosts: ReadonlySet<string>;
  /** Returns the address for this machine itself. */
  readonly local: () => string;
  /** Returns the address for other machines, or null if the server answers on loopback alone. */
  readonly outside: () => string | null;
}

export interface RunningApi {
  readonly api: Api;
  /** Stops the loop, the sessions and the watchers; the store stays open. */
  readonly stop: () => void;
}

/** Builds everything over an open store but the port. */
export function createApi(ground: Ground & Pick<Api, "hosts" | "local" | "outside">): RunningApi {
  const { hosts, local, outside, ...rest } = ground;
  const context = createContext(rest);
  const { store, loop, identity } = context;
  const sessions = createSessions(context);
  const watch = createWatch({ store, heardOf: (id) => loop.heardOf(id), limits: context.limits });
  const auth = createAuth(() => store.state, identity.pin, store.now);
  const longAnswers = createLongAnswers();
  return {
    api: {
      ...context,
      sessions,
      watch,
      auth,
      hosts,
      local,
      outside,
      quotas: createQuotas(context.clock),
      longAnswers,
      dryTurn: createTurns(),
    },
    stop() {
      longAnswers.stop();
      loop.stop();
      sessions.stop();
      watch.stop();
    },
  };
}
