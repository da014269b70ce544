// Every key and every kind of error of a spec file, as texts beside what the parser makes of them.

import { describe } from "bun:test";
import type { AppDecl } from "../../src/core/model/workload";
import { settingsFacts, taskFacts } from "../../src/spec/facts";
import { formatIssue } from "../../src/spec/issue";
import { parseApp } from "../../src/spec/parse";
import { goldenTests } from "../support/golden";

function printed({ app, project, workloads }: AppDecl): string {
  const lines = workloads.flatMap(({ name, kind, spec, settings }) => [
    "",
    `${kind} ${name}`,
    ...[...taskFacts(spec), ...settingsFacts(settings, kind)].map(([key, value]) => `  ${key}: ${value}`),
  ]);
  return [`app ${app}${project === null ? "" : ` of project ${project}`}`, ...lines].join("\n");
}

describe("the spec parser", () => {
  goldenTests("test/golden/spec", (input, name) => {
    const file = `${name}.yaml`;
    const parsed = parseApp(input, file);
    return parsed.is === "parsed"
      ? printed(parsed.app)
      : parsed.issues.map((issue) => formatIssue(file, issue)).join("\n");
  });
});
