// What the routes share beyond the context: sessions, watchers, and how this server is addressed.

import type { Auth } from "../access/auth";
import type { Context } from "../context";
import type { Sessions } from "../agents/sessions";
import type { Watch } from "../watch";

export interface Api extends Context {
  readonly auth: Auth;
  readonly sessions: Sessions;
  readonly watch: Watch;
  /** Names, besides IP literals and localhost, under which requests may come; in lower case. */
  readonly hosts: ReadonlySet<string>;
  /** Returns the address that other machines use, for join commands. */
  readonly url: () => string;
}
