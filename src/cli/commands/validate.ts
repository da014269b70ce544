// `orch validate`: checks a spec file without a server; every error at once.

import type { AppDecl } from "../../core/model/workload";
import { parseApp } from "../../spec/parse";
import { command, texts } from "../frame/command";
import { EXIT } from "../failure";
import { readNamed, requireFiles } from "../typed/files";
import { printIssues } from "../typed/spec-check";

export const validate = command({
  talks: false,
  reads: true,
  options: { file: texts("-f, --file <FILE>", "spec file, - for standard input (again for more)") },
  operands: ["[FILE...]"],
  examples: [
    ["orch validate -f app.yaml", "every error, with line and hint"],
    ["orch validate -f - < app.yaml", ""],
  ],
  async run(context, { args, flags, shape }) {
    const checked = [];
    for (const path of requireFiles([...flags.file, ...args])) {
      const { file, text } = await readNamed(context.host, path);
      checked.push({ file, parsed: parseApp(text, file) });
    }
    const valid = checked.every(({ parsed }) => parsed.is === "parsed");
    if (shape === "json") {
      context.json({
        valid,
        files: checked.map(({ file, parsed }) => ({
          file,
          valid: parsed.is === "parsed",
          app: parsed.is === "parsed" ? parsed.app.app : null,
          issues: parsed.is === "parsed" ? [] : parsed.issues,
        })),
      });
      return valid ? EXIT.done : EXIT.usage;
    }
    for (const { file, parsed } of checked) {
      if (parsed.is === "invalid") printIssues(context, file, parsed.issues);
      else context.print(shape === "ids" ? parsed.app.app : validLine(file, parsed.app));
    }
    return valid ? EXIT.done : EXIT.usage;
  },
});

function validLine(file: string, { app, workloads }: AppDecl): string {
  return `${file}: valid (app ${app}, ${workloads.length} ${workloads.length === 1 ? "workload" : "workloads"})`;
}
