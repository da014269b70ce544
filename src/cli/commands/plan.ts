// `orch plan`: what applying a file would do now. Changes nothing.

import { command, flag, text } from "../frame/command";
import { EXIT, UsageError } from "../failure";
import { readNamed, requireFile } from "../typed/files";
import { changed } from "../print/changes";
import { planLines } from "../print/plan";
import { checkSpec } from "../typed/spec-check";

export const plan = command({
  reads: true,
  operands: ["[FILE]"],
  options: {
    file: text("-f, --file <FILE>", "spec file, - for standard input"),
    detailedExitcode: flag("--detailed-exitcode", "exit 5 when there are changes, 0 when there are none"),
    all: flag("-a, --all", "a line for each operation, also for equal ones"),
    whatIf: text("--what-if <CHANGE>", "with other nodes or requests (not built yet)"),
  },
  examples: [["orch plan app.yaml", "every operation, every placement, everything that waits"]],
  async run(context, { args: [named], flags, shape }) {
    if (flags.whatIf !== null) throw new UsageError("--what-if: not built yet");
    const { file, text: spec } = await readNamed(context.host, requireFile(flags.file, named));
    const decl = checkSpec(context, file, spec);
    const client = await context.client();
    const view = await client.plan({ text: spec, file, revision: null });
    if (shape === "json") context.json(view);
    else if (shape === "ids") for (const { name } of changed(view)) context.print(name);
    else {
      const { style, host } = context;
      const home = decl.project ?? (await client.me()).project;
      const print = { style, width: host.out.columns, home, whole: flags.all };
      for (const line of planLines(view, print)) context.print(line);
    }
    return flags.detailedExitcode && (changed(view).length > 0 || view.ops.length > 0) ? EXIT.changes : EXIT.done;
  },
});
