// Every example parses, says at its top what it shows, and means the same after YAML has written it anew.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { formatIssue } from "../../src/spec/issue";
import { parseApp } from "../../src/spec/parse";

const EXAMPLES: Record<string, string[]> = {
  "examples/hello.yaml": ["service greeter"],
  "examples/demo.yaml": ["service web", "job prepare", "job train", "job report", "daemon monitor"],
  "examples/gang.yaml": ["job ring"],
  "examples/sweep.yaml": ["job one", "job report"],
  "examples/gpu-train.yaml": ["job train", "job evaluate", "job mourn"],
  "examples/gpu-share.yaml": ["service embed", "job finetune"],
  "examples/ports.yaml": ["service proxy"],
  "examples/placement.yaml": ["service cache", "service api", "service batch", "daemon exporter"],
  "examples/database.yaml": ["service pg", "job migrate"],
};

const ROOT = join(import.meta.dir, "../..");

describe("the examples", () => {
  for (const [file, workloads] of Object.entries(EXAMPLES)) {
    const text = readFileSync(join(ROOT, file), "utf8");
    const parsed = parseApp(text, file);

    test(`${file} declares what it says`, () => {
      expect(
        parsed.is === "parsed"
          ? parsed.app.workloads.map(({ kind, name }) => `${kind} ${name}`)
          : parsed.issues.map((issue) => formatIssue(file, issue)),
      ).toEqual([...workloads]);
      expect(text).toStartWith("# ");
    });

    test(`${file} means the same when YAML has written it anew`, () => {
      expect(parseApp(parseDocument(text).toString(), file)).toEqual(parsed);
    });
  }

  test("are all here", () => {
    const files = readdirSync(join(ROOT, "examples")).filter((name) => name.endsWith(".yaml"));
    expect(files.map((name) => `examples/${name}`).toSorted()).toEqual(Object.keys(EXAMPLES).toSorted());
  });
});
