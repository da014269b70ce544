// Makes the one binary: `bun scripts/build.ts` builds dist/orch for this machine, `--all` every platform that is
// released, with their SHA-256 list beside them. The same input gives the same bytes.

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");
const TARGETS = ["linux-x64", "linux-arm64", "darwin-arm64"] as const;

interface Stamp {
  readonly version: string;
  readonly commit: string;
}

/** Runs a program and returns its output, or ends the build with the program's error output. */
async function output(argv: string[]): Promise<string> {
  const child = Bun.spawn(argv, { cwd: ROOT, stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${argv.slice(0, 3).join(" ")} failed (exit ${code}):\n${out}${err}`);
  return out;
}

/**
 * Returns the version of package.json and the commit, with `+` appended if files differ from it; without git:
 * "unknown".
 */
async function stamp(): Promise<Stamp> {
  const { version } = (await Bun.file(join(ROOT, "package.json")).json()) as { version: string };
  if (Bun.which("git") === null || !existsSync(join(ROOT, ".git"))) return { version, commit: "unknown" };
  const commit = (await output(["git", "rev-parse", "--short=12", "HEAD"])).trim();
  const changed = (await output(["git", "status", "--porcelain", "--untracked-files=no"])).trim() !== "";
  return { version, commit: changed ? `${commit}+` : commit };
}

/** Returns the files that are embedded in the binary; the code that reads them finds them under its own root. */
function assets(): string[] {
  return ["migrations"].filter((dir) => existsSync(join(ROOT, dir))).flatMap((dir) => ["--asset", `./${dir}`]);
}

async function build(target: string | null, outfile: string, made: Stamp): Promise<void> {
  await output([
    process.execPath,
    "build",
    "--compile",
    ...(target === null ? [] : [`--target=bun-${target}`]),
    // ESM: bytecode alone would choose CommonJS, which has no top-level await. Splitting keeps each command's code
    // apart (and imports in order); names are kept so that a stack trace can be read.
    "--minify",
    "--keep-names",
    "--bytecode",
    "--format=esm",
    "--splitting",
    "--sourcemap",
    // Files of the current directory must not change what the program does.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--compile-exec-argv=--disallow-code-generation-from-strings=strict",
    "--define",
    `BUILD_VERSION=${JSON.stringify(made.version)}`,
    "--define",
    `BUILD_COMMIT=${JSON.stringify(made.commit)}`,
    ...assets(),
    "src/main.ts",
    "--outfile",
    outfile,
  ]);
}

async function sha256(file: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(file).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}

async function writeSums(): Promise<void> {
  const isBinary = (name: string): boolean => name === "orch" || /^orch-[a-z]+-[a-z0-9]+$/.test(name);
  const names = (await readdir(DIST)).filter(isBinary).toSorted();
  const lines: string[] = [];
  for (const name of names) lines.push(`${await sha256(join(DIST, name))}  ${name}\n`);
  await Bun.write(join(DIST, "SHA256SUMS"), lines.join(""));
}

await mkdir(DIST, { recursive: true });
// Built aside and renamed into place: a binary that runs is never written to, and two builds do not mix. The copies of
// the source map that the bundler leaves beside its output (the map itself is inside) go with the folder.
const aside = await mkdtemp(join(DIST, ".build-"));
const made = await stamp();
const all = process.argv.includes("--all");
for (const target of all ? TARGETS : [null]) {
  const name = target === null ? "orch" : `orch-${target}`;
  const outfile = join(DIST, name);
  const started = performance.now();
  await build(target, join(aside, name), made);
  await rename(join(aside, name), outfile);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const megabytes = ((await stat(outfile)).size / 1e6).toFixed(1);
  const what = `${outfile.slice(ROOT.length + 1)}: ${megabytes} MB in ${seconds} s`;
  console.log(`built ${what} (${made.version}, ${made.commit})`);
}
await rm(aside, { recursive: true });
await writeSums();
