// How the agent leaves, put together: who may ask for it (notice, end, operator), and what an end of the connection
// then means.

import type { Ms } from "../../core/units";
import { FatalAgentError } from "../link/connection";
import { openControl } from "./control";
import { LeaveRequests, type LeaveRequestsOptions } from "./requests";
import { forgetIdentity } from "../link/identity";
import { watchNotice } from "./notice";
import type { Leave } from "../link/link";

export interface LeavingOptions extends LeaveRequestsOptions {
  /** `<data>/agent`. */
  readonly data: string;
  readonly name: () => string;
  /** The command or address that announces the machine's end; `null`: none does. */
  readonly notice: string | null;
  /** Its abort asks the agent to give its work away within that time, and to end. */
  readonly term: { readonly signal: AbortSignal; readonly within_ms: Ms };
}

export interface AgentLeaving {
  now(): Leave | null;
  noted(leaving: boolean): void;
  /** Aborts when nothing is left to wait for. */
  readonly over: AbortSignal;
  /** How the agent ended, once its connection has. Throws what that throws, unless it is what was asked for. */
  endOf(done: Promise<void>): Promise<"stopped" | "drained" | "left">;
  close(): void;
}

export function openLeaving(options: LeavingOptions): AgentLeaving {
  const { data, clock, name, say, notice, term } = options;
  const requests = new LeaveRequests(options);
  const control = openControl({ data, requests, clock, name, say });
  const goes = (): void => {
    const within = Math.max(0, term.within_ms);
    requests.begin("term", { until_ms: clock() + within, gone: true, why: "its agent was told to end" });
  };
  if (term.signal.aborted) goes();
  else term.signal.addEventListener("abort", goes, { once: true });
  const told = (until_ms: Ms | null): void => {
    if (until_ms === null) requests.withdraw("notice");
    else requests.begin("notice", { until_ms, gone: true, why: "termination notice" });
  };
  const unwatch = notice === null ? () => undefined : watchNotice({ source: notice, clock, say, told });
  return {
    now: () => requests.now(),
    noted: (leaving) => requests.noted(leaving),
    over: requests.over,
    async endOf(done) {
      try {
        await done;
        return requests.over.aborted ? "drained" : "stopped";
      } catch (error) {
        const asked = error instanceof FatalAgentError && error.code === "forgotten" && requests.wants("leave");
        if (!asked) throw error;
        forgetIdentity(data);
        say(`${name()} has left the cluster`);
        control.left();
        return "left";
      }
    },
    close() {
      term.signal.removeEventListener("abort", goes);
      unwatch();
      requests.close();
      control.close();
    },
  };
}
