// What people who know Slurm type, with the answers; and each answer typed against a real server.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../src/cli/commands/run";
import { dispatch } from "../../../src/cli/dispatch";
import { MANY } from "../../../src/cli/instead/combine";
import { startServer, type RunningServer } from "../../../src/server/server";
import { goldenTests, inputOf } from "../../support/golden";
import { stage, type Stage } from "../stage";

const NOW_MS = new Date(2026, 10, 29, 16, 0).getTime();
/** What is said of runs, nodes and people that are not there, and beside what was done. */
const ABSENT =
  /^$|^(orch: )?(there is no|no|nothing) |has run yet|a user bob already|^for this machine|its input is|#SBATCH lines/m;
const SCRIPT = /^(\w+\.sh): (.*)$/;

let dir: string;
let server: RunningServer;
let token: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "orch-slurm-"));
  await mkdir(join(dir, "sub"));
  const settings = { data_dir: dir, listen: "127.0.0.1:0", hosts: [], approve: false, settings: {}, version: "0.1.0" };
  server = await startServer({ ...settings, say: () => undefined });
  token = (await readFile(join(dir, "server", "admin.token"), "utf8")).trim();
  const texts = Map.groupBy(
    inputOf("test/golden/slurm", "typed")
      .split("\n")
      .flatMap((line) => [SCRIPT.exec(line) ?? []]),
    ([, file = ""]) => file,
  );
  for (const [file, lines] of texts)
    if (file !== "") await writeFile(join(dir, file), `${lines.map(([, , text = ""]) => text).join("\n")}\n`);
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});

/** Splits a line as a shell does. What stands behind `<` is standard input. */
function wordsOf(line: string): { argv: string[]; input: string | null } {
  const words = (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ""));
  const at = words.indexOf("<");
  return at < 0 ? { argv: words, input: null } : { argv: words.slice(0, at), input: words[at + 1] ?? "" };
}

async function typed(line: string, env: Record<string, string>): Promise<{ code: number; here: Stage }> {
  const { argv, input } = wordsOf(line);
  const piped = input === null ? {} : { piped: new Uint8Array(await readFile(join(dir, input))) };
  const here = stage({ cwd: dir, home: dir, now_ms: NOW_MS, env: { USER: "alice", ...env }, ...piped });
  return { code: await dispatch(argv, here.host), here };
}

const lines = (input: string): string[] => input.split("\n").filter((line) => line !== "" && !SCRIPT.test(line));
async function answerTo(line: string): Promise<string> {
  const { code, here } = await typed(line, {});
  const [head = ""] = here.out().split("\n");
  return code === 0 ? head : here.err().trimEnd();
}

describe("what people who know Slurm type", () => {
  goldenTests("test/golden/slurm", async (input) => {
    const answers: string[] = [];
    for (const line of lines(input)) answers.push(`${line}\n    ${await answerTo(line)}`);
    return answers.join("\n");
  });

  test("is answered by lines that orch takes", async () => {
    const refused: string[] = [];
    for (const line of lines(inputOf("test/golden/slurm", "typed"))) {
      const [, meant = ""] = / Did you mean: orch (.*)$/.exec(await answerTo(line)) ?? [];
      for (const one of meant.split("; orch ").filter((text) => text !== "" && !/<[A-Z]/.test(text))) {
        const now = one
          .replace(/^run( -d)?(?= )/, "run -d --wait-for-nodes")
          .replace("logs -f", "logs")
          .replace("ps -w", "ps");
        const { here } = await typed(now.replace("< SCRIPT", "< job.sh"), { ORCH_URL: server.url, ORCH_TOKEN: token });
        const said = here.err().trimEnd();
        if (!ABSENT.test(said)) refused.push(`${line}: orch ${one}: ${said}`);
      }
    }
    expect(refused).toEqual([]);
  }, 60_000);

  test("repeats flags of orch run only where orch run takes several", () => {
    const many = Object.values(run.options).filter((option) => option.many);
    expect(new Set(many.flatMap(({ flags }) => flags.match(/--?[a-z-]+/g) ?? []))).toEqual(new Set(MANY));
  });
});
