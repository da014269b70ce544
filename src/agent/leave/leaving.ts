// Combines the three requests to leave (notice, end, operator), and decides how the agent ended once its connection
// has.

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
  /** The command or address that announces the machine's end, or null. */
  readonly notice: string | null;
  /** An abort of `signal` asks the agent to drain its node within `within_ms`, and then to end. */
  readonly term: { readonly signal: AbortSignal; readonly within_ms: Ms };
}

export interface AgentLeaving {
  now(): Leave | null;
  noted(leaving: boolean): void;
  /** Aborts when an agent that was asked to end waits for nothing more. */
  readonly over: AbortSignal;
  /**
   * Returns how the agent ended, once its connection has. Errors of the connection are thrown, except the refusal that
   * a requested leave ends with.
   */
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
