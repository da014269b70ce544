// Rules for the repository as a whole: its top level, its lock file, its examples and its scripts.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, type Refusal, type Source } from "./source";

const FOLDERS = ["src", "migrations", "test", "scripts", "docs", "examples", ".ci"];
/** What may be at the top of the repository. Anything new goes into one of the folders. */
const TOP_LEVEL = [
  ...FOLDERS,
  "package.json",
  "bunfig.toml",
  "bun.lock",
  "tsconfig.json",
  ".gitignore",
  "LICENSE",
  "README.md",
];

/** Returns the paths that git would commit: tracked files, and new ones that it does not ignore. */
export function committedPaths(): string[] {
  const git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"];
  const { stdout, success, stderr } = Bun.spawnSync(git, { cwd: ROOT });
  // A copy without git (a tarball) contains only what was committed.
  if (success) return stdout.toString().trim().split("\n");
  if (!stderr.toString().includes("not a git repository")) throw new Error(`git ls-files: ${stderr.toString()}`);
  return readdirSync(ROOT).filter((name) => !["node_modules", "dist", ".out"].includes(name));
}

export function refusedTopLevel(paths: readonly string[]): Refusal[] {
  const names = new Set(paths.map((path) => path.split("/")[0] ?? path));
  return [...names]
    .filter((name) => !TOP_LEVEL.includes(name))
    .map((name) => ({
      path: name,
      line: 1,
      what: "it does not belong at the top level",
      instead: `put it into one of ${FOLDERS.join(", ")}`,
    }));
}

/** The lock file may name packages and their hashes. Where they come from is up to whoever installs them. */
export function refusedLock(text: string): Refusal[] {
  return text
    .split("\n")
    .flatMap((line, i) =>
      /https?:\/\//.test(line)
        ? [{ path: "bun.lock", line: i + 1, what: "an address", instead: "install again without a registry in .npmrc" }]
        : [],
    );
}

/** Every example is applied by a test, in which its name occurs. */
export function unusedExamples(examples: readonly string[], tests: readonly Source[]): Refusal[] {
  const all = tests.map(({ uncommented }) => uncommented).join("\n");
  return examples
    .filter((path) => !all.includes(path) && !all.includes(path.split("/").at(-1) ?? path))
    .map((path) => ({
      path,
      line: 1,
      what: "no test applies this example",
      instead: "apply it in test/e2e, or delete it",
    }));
}

/** Returns the scripts that neither package.json starts nor another script imports. */
export function unusedScripts(sources: readonly Source[], packageJson: string): Refusal[] {
  const scripts = sources.filter(({ path }) => /^scripts\/[^/]+\.ts$/.test(path));
  const all = packageJson + sources.map(({ uncommented }) => uncommented).join("\n");
  return scripts
    .filter(({ path }) => {
      const name = path.slice("scripts/".length, -".ts".length);
      return !all.includes(path) && !all.includes(`/${name}"`);
    })
    .map(({ path }) => ({
      path,
      line: 1,
      what: "nothing starts this script",
      instead: "name it in package.json, or delete it",
    }));
}

export const textOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");
