// `orch keeper DIR`: hidden; the process that outlives an agent and watches over its tasks.

import { command } from "../command";
import { EXIT } from "../failure";

export const keeper = command({
  operands: ["<DIR>"], talks: false, examples: [],
  async run(context, { args: [dir = ""] }) {
    await context.host.parts.runKeeper(dir);
    return EXIT.done;
  },
});
