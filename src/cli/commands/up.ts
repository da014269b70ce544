// `orch up`: server and agent of one machine in one process; the agent joins over the real socket.

import { join } from "node:path";
import { command } from "../command";
import { parseCluster, readOr } from "../contexts";
import { AGENT_OPTIONS, agentOptions, hasJoined } from "../joining";
import { SERVER_OPTIONS, startServing, untilEnded } from "../serve";

export const up = command({
  talks: false,
  options: { ...SERVER_OPTIONS, ...AGENT_OPTIONS },
  examples: [
    ["orch up", "try it on one machine"],
    ["orch up --listen 0.0.0.0:4400", "the first machine of several"],
  ],
  notes: "It stays in the foreground. Stopping it stops no task.",
  async run(context, { flags }) {
    const { server, data_dir } = await startServing(context, flags);
    const stop = new AbortController();
    // The first time the agent joins over the real socket, as every other one does.
    const commandLine = (await hasJoined(data_dir)) ? "" : await server.joinCommand();
    const token = /--token (\S+)/.exec(commandLine)?.[1] ?? null;
    const near = parseCluster(await readOr(join(data_dir, "server", "client.json")))?.url ?? server.url;
    const agent = context.host.parts.runAgent(
      agentOptions(context, flags, { urls: [near], token, data_dir, signal: stop.signal }),
    );
    const end = async (): Promise<void> => {
      stop.abort();
      await Promise.allSettled([agent, server.stop()]);
    };
    try {
      return await untilEnded(context, Promise.race([server.stopped, agent]), end);
    } catch (error) {
      await end();
      throw error;
    }
  },
});
