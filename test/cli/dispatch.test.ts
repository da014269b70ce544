// Command lines as tables: which command they name, what is wrong with them, and how the process ends.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { dispatch } from "../../src/cli/dispatch";
import { find } from "../../src/cli/find";
import { overview } from "../../src/cli/frame/help";
import { LATER, TABLE } from "../../src/cli/table";
import { formatToken } from "../../src/wire/token";
import { stage } from "./stage";

const TOKEN = formatToken({ pin: "ab".repeat(32), id: "0123456789", secret: "c0ffee".repeat(6) + "0000" });

const FOUND: readonly (readonly [line: string, name: string, rest: string])[] = [
  ["ps", "ps", ""],
  ["ps recs --all", "ps", "recs --all"],
  ["node drain box1", "node drain", "box1"],
  ["token new --role agent", "token new", "--role agent"],
  ["agent join https://box1:4400 --token T", "agent join", "https://box1:4400 --token T"],
  ["--url http://x:1 ps -q", "ps", "--url http://x:1 -q"],
  ["--url=http://x:1 --token T node show box1", "node show", "--url=http://x:1 --token T box1"],
  ["run --gpu 1 -- python train.py --gpu 2", "run", "--gpu 1 -- python train.py --gpu 2"],
  ["help ps", "ps", "--help"],
  ["help node drain", "node drain", "--help"],
  ["--version", "version", ""],
  ["nodes", "nodes", ""],
];

const EXAMPLE = join(import.meta.dir, "../../examples/database.yaml");

const WRONG: readonly (readonly [line: string, said: string])[] = [
  ["psa", "orch: unknown command: psa. Did you mean: orch ps\n"],
  ["aply -f x", "orch: unknown command: aply. Did you mean: orch apply\n"],
  ["qwertyuiop", "orch: unknown command: qwertyuiop. See: orch --help\n"],
  ["node drian box1", "orch: unknown command: node drian. Did you mean: orch node drain\n"],
  ["token", "orch: orch token: what to do is missing. One of: orch token new, orch token ls, orch token revoke\n"],
  ["ps --al", "orch: unknown option '--al' (did you mean --all?). See: orch ps --help\n"],
  ["ps a b", "orch: too many arguments. Expected 1 argument but got 2: a, b. Did you mean: orch ps a; orch ps b\n"],
  ["explain", "orch: missing required argument 'TASK|WORKLOAD|RUN'. See: orch explain --help\n"],
  ["--nope ps", "orch: unknown option --nope. See: orch --help\n"],
  ["scale recs.api", "orch: recs.api: not APP.WORKLOAD=N. Write it like recs.api=5\n"],
  ["runs -n 0", "orch: --limit 0: must be a whole number of at least 1\n"],
  ["runs --since 5", "orch: --since: 5 needs a unit (`5s` is seconds, `5m` minutes)\n"],
  ["token new --role boss", "orch: --role boss: must be one of agent, user, operator, viewer, admin\n"],
  ["token new", "orch: which role? Say --role agent for a machine, or user, operator, viewer, admin\n"],
  ["validate", "orch: which file? Name it: -f FILE (- is standard input)\n"],
  ["validate -f nope.yaml", "orch: cannot read nope.yaml: no such file or directory\n"],
  ["apply -f app.yaml", "orch: cannot read app.yaml: no such file or directory\n"],
  ["plan -f x --what-if y", "orch: --what-if: not built yet\n"],
  ["agent join", "orch: the server's address is missing (orch agent join https://box1:4400 --token T)\n"],
  ["agent join ftp://x", "orch: ftp://x: not the address of a server. Write it like https://box1:4400\n"],
  [
    "agent join x --taint a=b:never",
    'orch: --taint: "never" is no effect of a taint ' +
      "(`no_schedule` keeps work away, `prefer_not` ranks the node last, `no_execute` also moves away what runs)\n",
  ],
  [
    "agent join x --capacity cpu=none",
    'orch: --capacity: "none" is not a number of cores (such as `2`, `0.5` or `500m`)\n',
  ],
  ["agent join x --capacity cpus=4", 'orch: --capacity: "cpus" is no quantity of a node (did you mean `cpu`?)\n'],
  ["agent join x --capacity cores=4", 'orch: --capacity: "cores" is no quantity of a node (did you mean `cpu`?)\n'],
  [
    "agent join x --capacity gpu=1",
    'orch: --capacity: "gpu" is no quantity of a node ' +
      "(cards are found by themselves; `--device ID` chooses among them)\n",
  ],
  [
    "server --listen nowhere",
    'orch: --listen: "nowhere" is not HOST:PORT (such as `127.0.0.1:4400` or `0.0.0.0:4400`)\n',
  ],
  ["server --set replace_aftr=5s", 'orch: --set: "replace_aftr" is no limit (did you mean `replace_after_ms`?)\n'],
  [
    "run",
    "orch: which command? Write it behind --: orch run -- python train.py; " +
      "a script on standard input: orch run -- bash < job.sh\n",
  ],
  ["run --gpuu 1 -- x", "orch: unknown option '--gpuu' (did you mean --gpu?). See: orch run --help\n"],
  ["run -c x y", "orch: -c takes the whole text; y is too much. Quote it: -c '…'\n"],
  ["run --env NOT_SET_HERE -- x", "orch: --env: NOT_SET_HERE is not set here (give it a value: NOT_SET_HERE=…)\n"],
  ...[
    [`apply ${EXAMPLE} --token T`, `apply ${EXAMPLE} --yes`],
    [`apply -f ${EXAMPLE} --url=https://box1:4400 --token=T`, `apply -f ${EXAMPLE} --url=https://box1:4400 --yes`],
    ["restore /backup/orch.db", "restore /backup/orch.db --yes"],
    ["node forget --fenced -- box1", "node forget --fenced --yes -- box1"],
  ].map(
    ([line = "", yes = ""]) =>
      [line, `orch: there is no terminal to ask on. Say yes beforehand: orch ${yes}\n`] as const,
  ),
  ["secret", "orch: secret: not built yet. See what there is: orch --help\n"],
  ["token new --role agent --user alice", "orch: a join token belongs to nobody. Leave --user out\n"],
  ["completion csh", "orch: csh: no completion for this shell. There is: bash, zsh, fish\n"],
  ...["login http://box1:4400", "agent join http://box1:4400"].map(
    (line) =>
      [line, "orch: http://box1:4400 is plain HTTP, which no orch server speaks. Use https://box1:4400\n"] as const,
  ),
  [
    "ps --url http://box1:4400 --token T",
    "orch: http://box1:4400 is plain HTTP, which no orch server speaks. Use https://box1:4400\n",
  ],
];

describe("a command line", () => {
  for (const [line, name, rest] of FOUND) {
    test(`"${line}" is ${name}`, () => {
      const found = find(line.split(" "));
      expect(found?.kind === "command" ? [found.entry.name, found.rest.join(" ")] : found).toEqual([name, rest]);
    });
  }

  for (const [line, said] of WRONG) {
    test(`"${line}" is refused on one line and ends with 2`, async () => {
      const here = stage();
      expect(await dispatch(line.split(" "), here.host)).toBe(2);
      expect(here.err()).toBe(said);
      expect(here.out()).toBe("");
    });
  }

  for (const name of LATER) {
    test(`"${name}" says that it is not built yet and ends with 2`, async () => {
      const here = stage();
      expect(await dispatch([...name.split(" "), "x"], here.host)).toBe(2);
      expect(here.err()).toContain("not built yet");
    });
  }

  test("without a command shows them all and ends with 0", async () => {
    const here = stage();
    expect(await dispatch([], here.host)).toBe(0);
    expect(here.out()).toBe(overview(TABLE));
  });

  for (const { name } of TABLE) {
    test(`"${name} --help" shows usage and an example`, async () => {
      const here = stage();
      expect(await dispatch([...name.split(" "), "--help"], here.host)).toBe(0);
      expect(here.out()).toStartWith(`Usage: orch ${name}`);
      expect(here.out()).toMatch(/Examples:\n  .*orch/);
      expect(here.err()).toBe("");
    });
  }

  test("that has no token ends with 4 where somebody listens, and says how to log in; not a byte is sent", async () => {
    const heard: string[] = [];
    const data = (_: unknown, bytes: Uint8Array): void => {
      heard.push(new TextDecoder().decode(bytes));
    };
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data } });
    const url = `https://127.0.0.1:${listener.port}`;
    const here = stage();
    expect(await dispatch(["ps", "--url", url], here.host)).toBe(4);
    listener.stop(true);
    expect(here.err()).toBe(
      `orch: not logged in to ${url}. Log in with: orch login ${url} (or set ORCH_TOKEN). ` +
        "Its admin makes the token with: orch user add NAME\n",
    );
    expect(heard).toEqual([]);
    const later = stage();
    expect(await dispatch(["ps", "--url", url], later.host)).toBe(3);
    expect(later.err()).toStartWith(`orch: no server answers at ${url}. `);
  });

  test("ends with 3 when nobody answers", async () => {
    // A port that was free a moment ago.
    const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const { port } = probe;
    probe.stop(true);
    const here = stage();
    expect(await dispatch(["ps", "--url", `127.0.0.1:${port}`, "--token", TOKEN], here.host)).toBe(3);
    expect(here.err()).toMatch(/^orch: .*127\.0\.0\.1:\d+.*orch server.*\n$/);
  });

  test("of a run that nobody takes ends with 125, so that it cannot be the job's own code", async () => {
    const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const { port } = probe;
    probe.stop(true);
    const here = stage();
    expect(await dispatch(["run", "--url", `127.0.0.1:${port}`, "--token", TOKEN, "--", "true"], here.host)).toBe(125);
  });
});
