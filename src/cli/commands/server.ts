// `orch server`: the server alone, in the foreground.

import { command } from "../frame/command";
import { SERVER_OPTIONS, startServing, untilEnded } from "../start/serve";

export const server = command({
  talks: false,
  serves: true,
  options: SERVER_OPTIONS,
  examples: [
    ["orch server", "try it: on this machine alone"],
    ["orch server --listen 0.0.0.0:4400 --host box1", "for other machines, over TLS"],
  ],
  notes: "It stays in the foreground. Stopping it stops no task.",
  async run(context, { flags }) {
    const { server: running } = await startServing(context, flags);
    return untilEnded(context, running.stopped, () => running.stop());
  },
});
