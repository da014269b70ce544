// `orch apps`: what was applied, and how much of it is up.

import { command } from "../frame/command";
import { EXIT } from "../failure";
import { appColumns } from "../print/apps";

export const apps = command({
  reads: true,
  examples: [
    ["orch apps", "every app, with its services, jobs and last change"],
    ["orch apps --json", "for a script"],
  ],
  notes: "The tasks of one: orch ps APP. Its file: orch spec APP. What happened: orch events APP.",
  async run(context, { shape }) {
    const client = await context.client();
    const { apps: all } = await client.apps();
    if (shape === "json") context.json({ apps: all });
    else if (shape === "ids") for (const { project, name } of all) context.print(`${project}/${name}`);
    else if (all.length === 0) context.note("no apps; make one: orch apply -f FILE");
    else context.table(appColumns(context.now()), all);
    return EXIT.done;
  },
});
