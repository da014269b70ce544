// `orch version`. main answers it without loading this file, which serves help and the reference.

import { command } from "../frame/command";
import { versionText } from "../frame/version";

export const version = command({
  talks: false,
  reads: true,
  examples: [["orch version --json", "for a script"]],
  async run(context, { shape }) {
    context.print(versionText(shape === "json"));
    return 0;
  },
});
