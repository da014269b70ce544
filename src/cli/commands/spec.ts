// `orch spec APP`: the text that was applied, to the letter.

import { command, text } from "../frame/command";
import { CliError, EXIT, UsageError } from "../failure";

export const spec = command({
  reads: true,
  operands: ["<APP>"],
  options: { version: text("--version <V>", "an earlier one (not built yet)") },
  examples: [["orch spec recs > recs.yaml", "edit it and apply it again"]],
  async run(context, { args: [typed = ""], flags, shape }) {
    if (flags.version !== null) throw new UsageError("--version: not built yet");
    const client = await context.client();
    const { project, app } = await client.name(typed, { kinds: ["app"] });
    const detail = await client.app(project ?? "", app ?? "");
    if (shape === "json") context.json(detail);
    else if (shape === "ids") context.print(`${detail.project}/${detail.name}`);
    else if (detail.text === null) throw new CliError(EXIT.denied, `${typed}: its spec is for its project's members`);
    else context.text(detail.text);
    return EXIT.done;
  },
});
