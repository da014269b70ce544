// `orch agent leave`: takes this machine out of its cluster through its own agent. Work moves away or ends, the node is
// forgotten, and the agent ends.

import { join, resolve } from "node:path";
import { connectLines, type LinePeer } from "../../os/files/lines";
import { readDuration } from "../../spec/grammar/units";
import {
  AGENT_SOCKET,
  fromLocalAgent,
  type FromLocalAgent,
  type LeaveProgress,
  type ToLocalAgent,
} from "../../wire/local";
import { fromValue } from "../../wire/text";
import { command, flag, reading, text } from "../frame/command";
import type { Context } from "../context";
import { CliError, EXIT } from "../failure";
import { hasJoined } from "../start/joining";
import { clean } from "../print/clean";
import { dataDir } from "../cluster/settings";

export const agentLeave = command({
  talks: false,
  options: {
    data: text("--data <DIR>", "the agent's data directory (ORCH_DATA)"),
    deadline: reading(
      "--deadline <DURATION>",
      "what still runs then is stopped; jobs run again elsewhere",
      readDuration,
    ),
    cancel: flag("--cancel", "stay after all"),
  },
  examples: [
    ["orch agent leave", "services move, jobs finish, then the node is forgotten"],
    ["orch agent leave --deadline 10m", "not longer than that"],
    ["orch agent leave --cancel", "it stays"],
  ],
  notes: "Run on the node itself, as the account of its agent. Interrupted, it goes on all the same.",
  async run(context, { flags }) {
    const { host } = context;
    const data_dir = resolve(host.cwd, dataDir(flags.data, host));
    const order: ToLocalAgent = flags.cancel ? { do: "stay" } : { do: "leave", in_ms: flags.deadline };
    const told = Promise.withResolvers<number>();
    const said = { text: "" };
    const connected = await connectLines(join(data_dir, "agent", AGENT_SOCKET), () => ({
      message(message) {
        const read = fromValue(fromLocalAgent, message);
        if (read.is === "read") return hear(context, read.value, flags.cancel, said, told.resolve);
        told.reject(new CliError(EXIT.failed, `the agent is not understood: ${read.why}`, OTHER_RELEASE));
      },
      closed: () => told.reject(new CliError(EXIT.failed, "the agent ended before its node had left", SEE)),
    }));
    if (connected.is === "failed") throw await notThere(data_dir, connected.code);
    return follow(context, connected.peer, order, told.promise);
  },
});

const OTHER_RELEASE = "It goes on; start it anew with the binary that is installed now, then look: orch node show";
const SEE = "Start it again (orch agent join) and look: orch node show";

async function follow(context: Context, peer: LinePeer, order: ToLocalAgent, told: Promise<number>): Promise<number> {
  const interrupted = new Promise<number>((end) => {
    const forget = context.host.onInterrupt(() => {
      forget();
      context.note("orch: it goes on; to stay after all: orch agent leave --cancel");
      end(EXIT.interrupted);
    });
  });
  peer.send(order);
  const code = await Promise.race([told, interrupted]);
  peer.close();
  return code;
}

function hear(
  context: Context,
  message: FromLocalAgent,
  cancel: boolean,
  said: { text: string },
  end: (code: number) => void,
): void {
  const say = (line: string): void => {
    if (line !== said.text) context.print(line);
    said.text = line;
  };
  switch (message.is) {
    case "leaving":
      return say(progressLine(message));
    case "left":
      say(`${clean(message.name)}: has left the cluster`);
      return end(EXIT.done);
    case "stays":
      say(`${clean(message.name)}: stays${cancel ? "" : `: ${clean(message.why)}`}`);
      return end(cancel ? EXIT.done : EXIT.failed);
  }
}

const SHOWN = 4;

function progressLine({ name, noted, left }: LeaveProgress): string {
  if (!noted) return `${clean(name)}: waits for the server to take it in`;
  if (left.length === 0) return `${clean(name)}: nothing runs here any more; waits to be forgotten`;
  const names = left.slice(0, SHOWN).map((one) => `${clean(one.name)} (${clean(one.state)})`);
  const more = left.length > SHOWN ? ` and ${left.length - SHOWN} more` : "";
  return `${clean(name)}: waits for ${names.join(", ")}${more}`;
}

/** No agent listens. What to tell depends on whether this machine is a node at all. */
export async function notThere(data_dir: string, code: string | null): Promise<CliError> {
  if (code === "EACCES" || code === "EPERM") {
    return new CliError(
      EXIT.denied,
      `the agent of ${data_dir} is another account's`,
      "Run it as that account, or as root",
    );
  }
  if (await hasJoined(data_dir)) {
    return new CliError(
      EXIT.failed,
      `no agent runs for ${data_dir}`,
      "Start it (orch agent join) and say it again; or forget the node from elsewhere: orch node forget NODE",
    );
  }
  return new CliError(EXIT.failed, `${data_dir} is no node's`, "Name the agent's data directory: --data DIR");
}
