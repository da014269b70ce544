// A command line without a process against a real server in this process.

import { dispatch } from "../../src/cli/dispatch";
import { parseListen } from "../../src/server/http/listen";
import { closePort, openPort } from "../../src/server/socket";
import { makeStage, type Stage, type StageOptions } from "../server/stage";
import { stage as cliStage } from "./stage";

export interface Command {
  /** The exit code. */
  readonly code: Promise<number>;
  readonly out: () => string;
  readonly err: () => string;
  /** Presses Ctrl-C. */
  readonly interrupt: () => void;
}

export interface Served {
  readonly stage: Stage;
  readonly url: string;
  /** Begins a command of a person: alice, bob, olga or admin. */
  orch(as: string, ...argv: string[]): Command;
  /** Runs a command to its end. Returns its exit code and what it has written: standard output, then standard error. */
  ran(as: string, ...argv: string[]): Promise<readonly [code: number, text: string]>;
  /** Ends the server's port alone: nobody answers there any more. */
  deaf(): Promise<void>;
  close(): Promise<void>;
}

export async function served(options: StageOptions = {}): Promise<Served> {
  const stage = await makeStage(options);
  const { api, app, tls, tokens } = stage;
  const port = openPort(app, api.quotas, api.sessions.handlers, parseListen("127.0.0.1:0"), tls);
  const url = `https://127.0.0.1:${port.port}`;
  const orch = (as: string, ...argv: string[]): Command => {
    const env = { ORCH_URL: url, ORCH_TOKEN: tokens[as] ?? "" };
    const { host, out, err, interrupt } = cliStage({ env, cwd: "/tmp" });
    return { code: dispatch(argv, host), out, err, interrupt };
  };
  return {
    stage,
    url,
    orch,
    async ran(as, ...argv) {
      const { code, out, err } = orch(as, ...argv);
      return [await code, out() + err()];
    },
    deaf: async () => closePort(port),
    async close() {
      await closePort(port);
      await stage.close();
    },
  };
}
