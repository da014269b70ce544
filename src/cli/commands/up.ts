// `orch up`: server and agent of one machine in one process; the agent joins over the real socket.

import { join } from "node:path";
import { command } from "../frame/command";
import { parseCluster, readOr } from "../cluster/contexts";
import { AGENT_OPTIONS, agentOptions, hasJoined, newEnding, tellEnd } from "../start/joining";
import { SERVER_OPTIONS, startServing, untilEnded } from "../start/serve";

export const up = command({
  talks: false,
  serves: true,
  options: { ...SERVER_OPTIONS, ...AGENT_OPTIONS },
  examples: [
    ["orch up", "try it on one machine"],
    ["orch up --listen 0.0.0.0:4400", "the first machine of several"],
  ],
  notes: "It stays in the foreground. Stopping it stops no task.",
  async run(context, { flags }) {
    const { server, data_dir } = await startServing(context, flags, flags.capacity === null);
    const ending = newEnding();
    // The first time, the agent joins over the real socket like every other agent.
    const token = (await hasJoined(data_dir)) ? null : await server.joinToken();
    const near = parseCluster(await readOr(join(data_dir, "server", "client.json")))?.url ?? server.url;
    const joining = { urls: [near], token, previous: null, data_dir, ending };
    const agent = context.host.parts.runAgent(agentOptions(context, flags, joining));
    // The server must stay up while the agent moves its work away.
    const end = async (signal: "SIGINT" | "SIGTERM"): Promise<void> => {
      tellEnd(ending, signal, flags);
      await Promise.allSettled([agent]);
      await server.stop();
      context.say("ended: the server and this machine's agent. Its tasks go on, and orch up takes them on again");
    };
    // After the node has left the cluster, the server goes on alone.
    const over = agent.then((how) => (how === "left" ? server.stopped : undefined));
    try {
      return await untilEnded(context, Promise.race([server.stopped, over]), end);
    } catch (error) {
      await end("SIGINT");
      throw error;
    }
  },
});
