// `orch restore FILE`: puts an old copy of the database in place of the server's, which must be stopped.

import { resolve } from "node:path";
import { confirm } from "../context";
import { command, flag, text } from "../frame/command";
import { CliError, EXIT } from "../failure";
import { dataDir } from "../cluster/settings";

export const restore = command({
  operands: ["<FILE>"],
  talks: false,
  options: {
    data: text("--data <DIR>", "the server's data directory (ORCH_DATA)"),
    yes: flag("-y, --yes", "don't ask"),
  },
  examples: [
    ["orch restore /backup/orch.db", "then start the server: it takes in what lives before it decides anything"],
  ],
  async run(context, { args: [file = ""], flags }) {
    const { host } = context;
    const data_dir = dataDir(flags.data, host);
    const question = `Put ${file} in place of the database in ${data_dir}?`;
    if (!flags.yes && !(await confirm(context, question))) return EXIT.failed;
    const restored = await host.parts.restore(data_dir, resolve(host.cwd, file));
    if (!restored.ok) throw new CliError(EXIT.failed, restored.message, restored.hint);
    for (const aside of restored.set_aside) context.note(`set aside: ${aside}`);
    for (const notice of restored.notices) context.note(notice);
    context.print(`restored ${file}; start it: orch server --data ${data_dir}`);
    return EXIT.done;
  },
});
