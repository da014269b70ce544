// What tidy refuses in a file, as one table: a pattern, where it holds, and what to do instead. Budgets follow below.

import { lineAt, type Refusal, type Source } from "./source";

interface Rule {
  readonly what: string;
  readonly instead: string;
  /** Which files the rule holds for. */
  readonly where: (path: string) => boolean;
  readonly look: "text" | "uncommented" | "code";
  readonly pattern: RegExp;
}

const under =
  (...folders: string[]) =>
  (path: string): boolean =>
    folders.some((folder) => path.startsWith(folder));
const outside =
  (folder: string, ...files: string[]) =>
  (path: string): boolean =>
    path.startsWith(folder) && !files.some((file) => path.startsWith(file));
const everywhere = (): boolean => true;

/** The files that open connections of orch's own; each says which proxy it takes and which key it requires. */
const DIALLERS = ["wire/request", "wire/pinned", "agent/link/session", "agent/leave/notice"].map(
  (file) => `src/${file}.ts`,
);

/** The words are put together here, so that this file does not refuse itself. */
const LATER = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"];

export const RULES: readonly Rule[] = [
  {
    what: "a note for later",
    instead: "do it now, or say in docs/limits.md what is not there",
    where: everywhere,
    look: "text",
    pattern: new RegExp(`\\b(?:${LATER.join("|")})\\b`, "g"),
  },
  {
    what: "an error is swallowed",
    instead: "turn it into a value or a state, or rethrow it with what was being done",
    where: everywhere,
    look: "code",
    pattern: /\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}|\.catch\(\s*\(?\w*\)?\s*=>\s*(?:\{\s*\}|undefined|null)\s*\)/g,
  },
  {
    what: "a command writes to a stream by itself",
    instead: "print with the context (print, note, table, json, text), which cleans what a terminal would obey",
    where: outside(
      "src/cli/",
      "src/cli/context.ts",
      "src/cli/dispatch.ts",
      "src/cli/frame/terminal.ts",
      "src/cli/print/complain.ts",
      "src/cli/follow/log-sink.ts",
    ),
    look: "code",
    pattern: /\b(?:out|err|sink|stdout|stderr)\.write\(|\bconsole\.|\bprocess\.std(?:out|err)\b/g,
  },
  {
    what: "core waits",
    instead: "core is synchronous: the shell waits and calls it with what came",
    where: under("src/core/"),
    look: "code",
    pattern: /\b(?:async|await|Promise)\b/g,
  },
  {
    what: "core reads the clock or the dice",
    instead: "take now_ms or a seed as an argument",
    where: under("src/core/"),
    look: "code",
    pattern: /\bDate\b|\bMath\.random\b|\bperformance\b|\bcrypto\b/g,
  },
  {
    what: "core reaches for the world",
    instead: "give back a value that says what to do; a shell does it",
    where: under("src/core/"),
    look: "code",
    pattern: new RegExp(
      "\\b(?:console|setTimeout|setInterval|setImmediate|queueMicrotask|fetch|Bun|globalThis)\\b|" +
        "(?<!\\.)\\bprocess\\.(?:env|argv|exit|std\\w+|pid|on|kill|hrtime|nextTick|platform|cwd)\\b",
      "g",
    ),
  },
  {
    what: "the process is ended outside of main",
    instead: "throw, or return an exit code to src/main.ts",
    where: outside("src/", "src/main.ts"),
    look: "code",
    pattern: /\bprocess\.(?:exit|abort|reallyExit)\b/g,
  },
  {
    what: "a call that blocks the loop",
    instead: "use Bun.spawn through src/os and await its end",
    where: under("src/"),
    look: "code",
    pattern: /\b(?:spawnSync|execSync|execFileSync)\b/g,
  },
  {
    what: "the clock is read below a shell",
    instead: "use the clock of src/os that the shell was given",
    where: outside("src/", "src/os/", "src/web/"),
    look: "code",
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/g,
  },
  {
    what: "chance below a shell",
    instead: "use the dice of src/os that the shell was given",
    where: outside("src/", "src/os/"),
    look: "code",
    pattern: /\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b|\brandomBytes\b/g,
  },
  {
    what: "a process is started outside of os",
    instead: "call src/os, which checks the directory first",
    where: outside("src/", "src/os/"),
    look: "code",
    pattern: /\bBun\.spawn\b/g,
  },
  {
    what: "a connection that may take the environment's proxy, or trust another key",
    instead: "use the client of src/wire, or requestOptions and pinnedTls, and name the file here",
    where: outside("src/", ...DIALLERS),
    look: "code",
    pattern: /(?<![.\w])fetch\(|\bnew WebSocket\(|\btls\.connect\(|\brejectUnauthorized: false/g,
  },
  {
    what: "a task's file is opened so that it may hang",
    instead: "use src/os/files/task-files.ts: a task may have put a link or a pipe in its place",
    where: under("src/agent/keeper/", "src/agent/tasks/"),
    look: "code",
    pattern: /\b(?:readText|readJson|tailOf|openToRead|openToChange|cutFile|appendText|appendDurably|writeShort)\b/g,
  },
  {
    what: "a handler that nobody awaits",
    instead: "call the async function in a handler that is not, and say what follows from its failure",
    where: everywhere,
    look: "code",
    pattern: /\.on[a-z]+\s*=\s*async\b/g,
  },
  {
    what: "a database call outside of the store",
    instead: "write through store.commit, read the live maps or store.history",
    where: outside("src/", "src/store/"),
    look: "uncommented",
    pattern: /["'`]\s*(?:SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|PRAGMA\s)/g,
  },
  {
    what: "SQL is put together from strings",
    instead: "use drizzle, or a prepared statement with parameters",
    where: under("src/"),
    look: "uncommented",
    pattern: /(?<!\bsql)`[^`]*\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\b[^`]*\$\{/g,
  },
  {
    what: "a test sleeps",
    instead: "wait for the condition with waitUntil of test/support/wait.ts, or drive the clock",
    // The simulator drives time itself, so its timers are the clock of its world.
    where: outside("test/", "test/support/wait.ts", "test/sim/"),
    look: "code",
    pattern: /\bBun\.sleep(?:Sync)?\s*\(|\bsetTimeout\s*\(|\bAtomics\.wait\b/g,
  },
  {
    what: "a test waits for time to pass",
    instead: "wait for what that time is for, with waitUntil of test/support/wait.ts, or drive the clock",
    where: outside("test/", "test/support/wait.ts", "test/sim/"),
    look: "code",
    pattern: /\bwaitUntil\([^;>]*=>[^;&|{]*\b(?:performance|Date)\.now\(\)|\bwhile \((?:performance|Date)\.now\(\)/g,
  },
  {
    what: "an expectation under a condition",
    instead: "expect the condition too, or choose what is expected by it: expect(x).toBe(is ? a : b)",
    where: under("test/"),
    look: "code",
    pattern: /\bif \([^\n]*\)\s*expect\(|(?:&&|\|\||\?\?) expect\(/g,
  },
  {
    what: "a place of one machine",
    instead: "use os.tmpdir(), or a path relative to the repository",
    where: everywhere,
    look: "text",
    pattern: new RegExp(["(?<![\\w.])/wo" + "rk/", "/tmp/bash_" + "jobs"].join("|"), "g"),
  },
  {
    what: "a test is switched off",
    instead: "mend it, or skip it with a condition whose reason is printed",
    where: under("test/"),
    look: "code",
    pattern: /\b(?:test|it|describe)\.(?:skip|only|todo)\s*\(/g,
  },
];

/** Returns everything of the table that occurs in a file. */
export function refusedPatterns(source: Source): Refusal[] {
  const { path, text } = source;
  return RULES.filter(({ where }) => where(path)).flatMap(({ what, instead, look, pattern }) =>
    [...source[look].matchAll(pattern)].map((match) => ({
      path,
      line: lineAt(text, match.index),
      what: `${what} (${match[0].trim().slice(0, 40)})`,
      instead,
    })),
  );
}

export const FILE_LINES = 400;
export const MEDIAN_LINES = 100;
export const LINE_COLUMNS = 120;
const BANNED_NAMES = /^(?:utils?|helpers?|types?|common|managers?|index)$/;

export const linesOf = (text: string): number => text.split("\n").length - (text.endsWith("\n") ? 1 : 0);

/** Checks the length of a file and its lines, its opening comment, and its name. The lint rules count functions. */
export function refusedForm(source: Source): Refusal[] {
  const { path, text } = source;
  const refusals: Refusal[] = [];
  const lines = text.split("\n");
  if (linesOf(text) > FILE_LINES) {
    refusals.push({
      path,
      line: FILE_LINES,
      what: `${linesOf(text)} lines, at most ${FILE_LINES}`,
      instead: "split it where two things meet, each file named after what it gives",
    });
  }
  lines.forEach((line, i) => {
    if (line.length > LINE_COLUMNS) {
      const what = `${line.length} columns, at most ${LINE_COLUMNS}`;
      refusals.push({ path, line: i + 1, what, instead: "break the line" });
    }
  });
  const first = lines[0]?.startsWith("#!") === true ? lines[1] : lines[0];
  if (!/^\/\/ \S|^\/\*\*? \S/.test(first ?? "")) {
    refusals.push({
      path,
      line: 1,
      what: "no opening comment",
      instead: "say in one to three sentences why the file exists",
    });
  }
  for (const part of path.split("/")) {
    const name = part.replace(/(?:\.test)?\.tsx?$/, "");
    if (BANNED_NAMES.test(name)) {
      const what = `the name "${name}" says nothing`;
      refusals.push({ path, line: 1, what, instead: "name it after its main export" });
    }
  }
  return refusals;
}

/** Returns the median length of the files under src. */
export function medianLines(sources: readonly Source[]): number {
  const own = sources.filter(({ path }) => path.startsWith("src/"));
  const lengths = own.map(({ text }) => linesOf(text)).toSorted((a, b) => a - b);
  return lengths[Math.floor((lengths.length - 1) / 2)] ?? 0;
}
