// `orch up`: server and agent of one machine in one process; the agent joins over the real socket.

import { command } from "../command";
import { AGENT_OPTIONS, agentOptions } from "../joining";
import { SERVER_OPTIONS, startServing, untilEnded } from "../serve";

export const up = command({
  talks: false, options: { ...SERVER_OPTIONS, ...AGENT_OPTIONS },
  examples: [
    ["orch up", "try it on one machine"],
    ["orch up --listen 0.0.0.0:4400", "the first machine of several"],
  ],
  notes: "It stays in the foreground. Stopping it stops no task.",
  async run(context, { flags }) {
    const { server, data_dir } = await startServing(context, flags);
    const join = await server.joinCommand();
    const stop = new AbortController();
    const token = /--token (\S+)/.exec(join)?.[1] ?? null;
    const agent = context.host.parts.runAgent(agentOptions(context, flags,
      { urls: [server.url], token, data_dir, signal: stop.signal }));
    return untilEnded(context, Promise.race([server.stopped, agent]), async () => {
      stop.abort();
      await Promise.all([agent, server.stop()]);
    });
  },
});
