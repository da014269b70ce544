// `orch whoami`: who the commands are sent as, and where to.

import { command } from "../frame/command";
import { EXIT } from "../failure";
import { block } from "../print/block";
import { timestamp } from "../print/figures";

export const whoami = command({
  reads: true,
  examples: [["orch whoami", "user, role, project, server, context, and when the token ends"]],
  async run(context, { shape }) {
    const { user, role, project, unix_user, token_id, token_expires_ms, cluster_id } = await (
      await context.client()
    ).me();
    const { url, context: name } = await context.target();
    const who = { user, role, project, unix_user, url, cluster_id, context: name, token_id, token_expires_ms };
    if (shape === "json") context.json(who);
    else if (shape === "ids") context.print(user);
    else {
      const ends = token_expires_ms === null ? "never" : timestamp(token_expires_ms);
      const from = name ?? "none (the server's own data directory, or --url and --token)";
      const { token_expires_ms: _, ...rest } = { ...who, context: from, token_expires: ends };
      for (const line of block(rest, context.style, context.host.out.columns)) context.print(line);
    }
    return EXIT.done;
  },
});
