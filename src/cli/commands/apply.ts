// `orch apply`: shows the plan of a file, asks, and does it, if nobody else changed the app meanwhile.

import { confirm, requireTerminal } from "../context";
import { command, flag, text } from "../frame/command";
import { EXIT } from "../failure";
import { readNamed, requireFile } from "../typed/files";
import { clean } from "../print/clean";
import { changed, changeLine } from "../print/changes";
import { planLines } from "../print/plan";
import { checkSpec } from "../typed/spec-check";
import { waitForApp } from "../follow/waiting";
import { untilLeft } from "../follow/watching";

export const apply = command({
  reads: true,
  operands: ["[FILE]"],
  options: {
    file: text("-f, --file <FILE>", "spec file, - for standard input"),
    yes: flag("-y, --yes", "don't ask"),
    wait: flag("--wait", "follow it until it is done or stuck"),
  },
  examples: [
    ["orch apply app.yaml", "show what it changes, ask, do it; -f app.yaml is the same"],
    ["orch apply -f app.yaml --yes --wait", "in a script: exit 0 when everything runs"],
  ],
  notes:
    "--wait: a service is up once each replica runs the new version, is healthy, and has run for 10 s without a\n" +
    "crash. One that has crashed counts once it is stable (60 s, unless the server says otherwise); after 3 crashes\n" +
    "in a row it is stuck, exit code 1. What crashes later is seen in: orch ps",
  async run(context, { args: [named], flags, shape }) {
    const path = requireFile(flags.file, named);
    const { host, style } = context;
    // Nobody types a file that is refused in any case.
    if (!flags.yes && path === "-" && host.input.tty) requireTerminal(context, true);
    const { file, text: spec } = await readNamed(host, path);
    const decl = checkSpec(context, file, spec);
    if (!flags.yes) requireTerminal(context, path === "-");
    const client = await context.client();
    const view = await client.plan({ text: spec, file, revision: null });
    const changes = changed(view).length > 0;
    const project = decl.project ?? (await client.me()).project;
    const print = { style, width: host.out.columns, home: project, whole: false };
    if (shape === "text") for (const line of planLines(view, print)) context.print(line);
    if (!flags.yes && changes && !(await confirm(context, "Apply?"))) {
      context.note("orch: nothing was changed");
      return EXIT.failed;
    }
    const answer = await client.apply(project, decl.app, { text: spec, file, revision: view.revision });
    if (shape === "json" && !flags.wait) context.json(answer);
    if (shape === "ids") for (const run of answer.runs) context.print(String(run));
    if (shape === "text") {
      const made = await Promise.all(answer.runs.map((run) => client.runInfo(run)));
      for (const { run, name } of made) context.print(`run ${run}  ${clean(name)}`);
      context.print(
        changes
          ? `applied ${project}/${decl.app}`
          : changeLine({ name: decl.app, change: "none", detail: "as it was" }, style),
      );
    }
    if (!flags.wait) return EXIT.done;
    const goesOn = clean(`what ${decl.app} has to do goes on; see: orch ps ${decl.app}, or the same command again`);
    return untilLeft(context, goesOn, waitForApp(context, client, answer, shape));
  },
});
