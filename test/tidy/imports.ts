// Who may import what: the table of docs/architecture.md and the one list of packages, held against every import.

import { dirname, join, normalize } from "node:path";
import { lineAt, type Refusal, type Source } from "./source";

/** What each folder of src may import. `spec:types`: only types of spec. `file:`: a single file. */
export const OURS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  spec: ["core"],
  wire: ["core", "spec:types"],
  os: [],
  store: ["core", "spec:types", "os"],
  server: ["core", "spec", "wire", "store", "os"],
  agent: ["core", "wire", "os"],
  cli: ["core", "spec", "wire", "os"],
  web: ["file:core/lifecycle", "file:core/explain", "wire"],
  main: ["core", "spec", "wire", "os", "store", "server", "agent", "cli"],
};

/** Every package and built-in module that the sources use, and the folders (or single files) that may use it. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@peculiar/x509": ["server"],
  "bun:ffi": ["os"],
  "bun:sqlite": ["store", "os/files/lock"],
  commander: ["cli"],
  "drizzle-orm": ["store"],
  hono: ["server"],
  "node:crypto": ["os", "wire", "server", "agent"],
  "node:fs": ["os", "store"],
  "node:fs/promises": ["os", "store"],
  "node:os": ["os"],
  "node:path": ["os", "store", "server", "agent", "cli"],
  "node:readline/promises": ["cli"],
  "reflect-metadata": ["server"],
  systeminformation: ["os"],
  yaml: ["spec"],
  zod: ["spec", "wire", "server"],
};

export interface Import {
  readonly from: string;
  readonly line: number;
  readonly types_only: boolean;
  readonly lazy: boolean;
}

const STATIC = /(?:^|[;\n])\s*(import|export)\s+(type\s+)?((?:[\w$*\s,]|\{[^}]*\})*?\sfrom\s+)?["']([^"']+)["']/g;
const LAZY = /\bimport\(\s*["'`]([^"'`]+)["'`]/g;

/** Returns every import of a file: static, re-exported, and lazy. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = [];
  for (const match of source.uncommented.matchAll(STATIC)) {
    const names = /^\s*\{([^}]*)\}/
      .exec(match[3] ?? "")?.[1]
      ?.split(",")
      .map((name) => name.trim()) ?? [""];
    const onlyTypes = names.filter((name) => name !== "").every((name) => name.startsWith("type ")) && names[0] !== "";
    const at = match.index + match[0].length - 1;
    found.push({
      from: match[4] ?? "",
      line: lineAt(source.text, at),
      lazy: false,
      types_only: match[2] !== undefined || onlyTypes,
    });
  }
  for (const match of source.uncommented.matchAll(LAZY)) {
    found.push({ from: match[1] ?? "", line: lineAt(source.text, match.index), lazy: true, types_only: false });
  }
  return found;
}

/** Returns `core/plan` for src/core/plan.ts, `main` for src/main.ts, and null outside of src. */
function moduleOf(path: string): string | null {
  const match = /^src\/(.+?)(?:\.tsx?)?$/.exec(path);
  return match?.[1] ?? null;
}

const folderOf = (module: string): string => module.split("/")[0] ?? module;
const isBuiltIn = (from: string): boolean => from.startsWith("node:") || from.startsWith("bun:");
const packageOf = (from: string): string =>
  isBuiltIn(from)
    ? from
    : from
        .split("/")
        .slice(0, from.startsWith("@") ? 2 : 1)
        .join("/");

function refusedOurs(folder: string, target: string, typesOnly: boolean): string | null {
  const targetFolder = folderOf(target);
  const allowed = OURS[folder] ?? [];
  if (targetFolder === folder || allowed.includes(targetFolder) || allowed.includes(`file:${target}`)) return null;
  if (allowed.includes(`${targetFolder}:types`)) {
    return typesOnly ? null : `src/${folder} may import only types of src/${targetFolder}`;
  }
  return `src/${folder} may not import src/${targetFolder}`;
}

/** Returns the file that a relative import means, out of those that exist. */
export function resolved(path: string, from: string, exists: (path: string) => boolean): string | null {
  const base = normalize(join(dirname(path), from)).replaceAll("\\", "/");
  return [base, `${base}.ts`, `${base}.tsx`].find(exists) ?? null;
}

function refusedImport(source: Source, { from, line, types_only }: Import): Refusal | null {
  const { path } = source;
  const module = moduleOf(path);
  if (module === null) return null;
  if (from.startsWith(".")) {
    if (/\.(ts|tsx|js)$/.test(from)) {
      return { path, line, what: `the import "${from}" has an extension`, instead: "write it without" };
    }
    const target = moduleOf(normalize(join(dirname(path), from)).replaceAll("\\", "/"));
    if (target === null) {
      return { path, line, what: `"${from}" lies outside of src`, instead: "src stands alone: others import it" };
    }
    const what = refusedOurs(folderOf(module), target, types_only);
    return what === null
      ? null
      : {
          path,
          line,
          what,
          instead:
            "move what both need into src/core or src/wire, or pass it in as an argument (see docs/architecture.md)",
        };
  }
  const name = packageOf(from);
  const folders = PACKAGES[from] ?? PACKAGES[name];
  if (folders === undefined) {
    return {
      path,
      line,
      what: `the package "${name}" is not on the list`,
      instead: "use what is there, or add it to PACKAGES in test/tidy/imports.ts with the folders that need it",
    };
  }
  // A type costs nothing at run time, so the origin of types of packages is not restricted.
  if (types_only || folders.includes(module) || folders.includes(folderOf(module))) return null;
  const where = folders.map((folder) => `src/${folder}`).join(", ");
  const instead = "call the function there that wraps it";
  return { path, line, what: `"${name}" may be used only in ${where}`, instead };
}

/** Returns every import that the two tables do not allow. */
export const refusedImports = (source: Source): Refusal[] =>
  importsOf(source)
    .map((one) => refusedImport(source, one))
    .filter((refusal) => refusal !== null);

/** Returns the files that no import reaches from `roots`. */
export function deadFiles(sources: readonly Source[], roots: (path: string) => boolean): Refusal[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const alive = new Set<string>();
  const queue = sources.filter(({ path }) => roots(path));
  for (let source = queue.pop(); source !== undefined; source = queue.pop()) {
    if (alive.has(source.path)) continue;
    alive.add(source.path);
    for (const { from } of importsOf(source)) {
      const path = from.startsWith(".") ? resolved(source.path, from, (candidate) => byPath.has(candidate)) : null;
      const target = path === null ? undefined : byPath.get(path);
      if (target !== undefined) queue.push(target);
    }
  }
  return sources
    .filter(({ path }) => !alive.has(path))
    .map(({ path }) => ({ path, line: 1, what: "nothing imports this file", instead: "use it or delete it" }));
}

/** Returns the packages of the list that nothing uses any more. */
export function unusedPackages(sources: readonly Source[]): string[] {
  const used = new Set(
    sources
      .filter(({ path }) => path.startsWith("src/"))
      .flatMap(importsOf)
      .flatMap(({ from }) => [from, packageOf(from)]),
  );
  return Object.keys(PACKAGES).filter((name) => !used.has(name));
}
