// The part that `orch server` and `orch up` share: starting the server, and waiting until a signal or the server itself
// ends it.

import { resolve } from "node:path";
import { flag, readAs, readings, text, texts } from "../frame/command";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { readSetting, type Setting } from "../typed/limit-names";
import type { RunningServer } from "../parts";
import { readListen } from "../typed/readers";
import { dataDir } from "../cluster/settings";
import { VERSION } from "../frame/version";

export const SERVER_OPTIONS = {
  listen: text("--listen <HOST:PORT>", "address to answer on, over TLS (127.0.0.1:4400)"),
  data: text(
    "--data <DIR>",
    "where everything is kept (ORCH_DATA, else /var/lib/orch or ~/.local/share/orch/HOSTNAME)",
  ),
  host: texts("--host <NAME>", "a name of the server, which join and login lines then say (again for more)"),
  set: readings(
    "--set <NAME=VALUE>",
    "one of the planner's limits, such as replace_after=10s (again for more)",
    readSetting,
  ),
  approve: flag("--approve", "machines that join by the printed token wait for orch node approve"),
  quiet: flag("-q, --quiet", "print the address only"),
};

interface ServerFlags {
  readonly listen: string | null;
  readonly data: string | null;
  readonly host: readonly string[];
  readonly set: readonly Setting[];
  readonly approve: boolean;
  readonly quiet: boolean;
}

export interface Serving {
  readonly server: RunningServer;
  readonly data_dir: string;
}

/** Returns the line that reports a ready server and its address, to programs too. */
export const listeningLine = (url: string): string => `listening on ${url}`;

/**
 * Starts the server. The server itself prints its address, and the tokens at its first start. With `--quiet` only the
 * address is printed. `whole_machine`: an agent that is given no share starts beside it.
 */
export async function startServing(context: Context, flags: ServerFlags, whole_machine = false): Promise<Serving> {
  const { host } = context;
  const data_dir = resolve(host.cwd, dataDir(flags.data, host));
  const listen = flags.listen === null ? null : readAs("--listen", flags.listen, readListen);
  const server = await host.parts.startServer({
    data_dir,
    listen,
    hosts: [...flags.host],
    approve: flags.approve,
    whole_machine,
    version: VERSION,
    settings: Object.fromEntries(flags.set.map(({ name, value }) => [name, value])),
    say: (line) => {
      // A command is one line, to be copied.
      const isCommand = line.includes(" --token ");
      if (!flags.quiet) (isCommand ? context.print : context.say)(line);
    },
  });
  if (flags.quiet) context.print(listeningLine(server.url));
  return { server, data_dir };
}

/**
 * Waits for SIGINT, SIGTERM, or an end without a signal, and returns the exit code. Tasks go on. A second signal ends
 * the process at once.
 */
export async function untilEnded(
  context: Context,
  ended: Promise<unknown>,
  stop: (signal: "SIGINT" | "SIGTERM") => Promise<void>,
): Promise<number> {
  const interrupted = new Promise<"SIGINT" | "SIGTERM">((resolve) => {
    const forget = context.host.onInterrupt((signal) => {
      forget();
      resolve(signal);
    });
  });
  const why = await Promise.race([interrupted, ended.then(() => "ended" as const)]);
  if (why !== "ended") await stop(why);
  return EXIT.done;
}
