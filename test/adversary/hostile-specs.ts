// Hostile specs: texts, names, paths, commands and files that attack the parser, the planner, the agents and whoever
// looks at the results. It shows that each costs its owner's work alone: the server answers others, nodes stay ready.
//
//   bun test/adversary/hostile-specs.ts --url URL --token TOKEN --dir DIR [--only NAME]... [--remove]
//
// DIR is a directory of the nodes' machine for the pipes and files that specs name. Each spec is sent as an app of its
// own, `hostile-NAME`, and answered with one JSON line: what became of it, and how long another request took meanwhile.
// The commands fork, write and break what is theirs; use nodes that are for tests. `--remove` removes the apps again.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ApiError, connect } from "../../src/wire/client";

const LITTLE = "resources: { cpu: 10m, memory: 24MiB }";
const many = (count: number, line: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => line(n)).join("");
/** JSON is YAML, and escapes every character. */
const q = (text: string): string => JSON.stringify(text);

const app = (name: string, rest: string): string => `app: hostile-${name}\nproject: hostile\n${rest}`;
const job =
  (keys: string) =>
  (name: string): string =>
    app(name, `jobs:\n  x: { ${LITTLE}, ${keys} }\n`);
const daemon =
  (keys: string) =>
  (name: string): string =>
    app(name, `daemons:\n  x: { ${LITTLE}, stop: { grace: 1s }, restart: { backoff: 10s..1m }, ${keys} }\n`);
const script = (text: string): ((name: string) => string) => daemon(`run: ${q(text)}`);

/** The directory that holds a task's own files: its output goes there. */
const OWN = "d=$(dirname $(readlink /proc/$$/fd/1)); cd $d";
const STAY = "while :; do echo line; sleep 0.2; done";
const FILES = ["marks", "claim", "stdout", "stderr", "record.json", "notes"] as const;

type Specs = Readonly<Record<string, (name: string) => string>>;

/** Texts that are refused, in words and at once. */
const REFUSED: Specs = {
  "huge-argument": daemon(`command: [echo, ${q("z".repeat(200_000))}]`),
  "deep-lists": (name) => app(name, `x: ${"[".repeat(100_000)}`),
  "deep-maps": (name) => app(name, `x: ${"{a: ".repeat(20_000)}`),
  aliases: (name) => app(name, `a0: &a0 [x, x]\n${many(30, (n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]\n`)}`),
  "alias-of-itself": (name) => app(name, "jobs: &a { x: *a }\n"),
  long: (name) => app(name, `x: ${q("y".repeat(300_000))}\n`),
  "many-keys": (name) =>
    app(
      name,
      many(4_900, (n) => `k${n}: 1\n`),
    ),
  "many-arguments": (name) => job(`command: [${many(30_000, () => "a, ")}a]`)(name),
  "keys-of-objects": (name) => app(name, "jobs: { __proto__: { run: a }, constructor: { run: b } }\n"),
  "control-in-names": (name) => app(name, `jobs: { ${q("\u001b[2Jx")}: { run: a } }\n`),
  "path-as-name": (name) => app(name, `jobs: { "../../etc": { run: a } }\n`),
  "half-characters": (name) => app(name, `jobs: { ${q("\ud800")}: { run: a } }\n`),
  "half-in-command": daemon(`command: [${q("/no/\ud800")}]`),
  "half-in-environment": daemon(`run: "echo $A; sleep 1000", env: { A: ${q("a\ud800b\udfff")} }`),
  tags: (name) => app(name, `jobs: { x: !!js/function "() => 1" }\n`),
  numbers: (name) => app(name, "services: { x: { run: a, replicas: 1e400, priority: -1e400 } }\n"),
  amounts: job('run: a, resources: { cpu: 1e30, memory: "99999999999999999999TiB" }'),
  "nul-in-environment": job(`run: a, env: { A: ${q("a\0b")} }`),
  "names-of-variables": job(`run: a, env: { ${q("A=B\nC")}: x }`),
  "much-environment": (name) => job(`run: a, env: { ${many(1_100, (n) => `A${n}: x, `)} B: x }`)(name),
  "relative-workdir": job("run: a, workdir: ../../etc"),
  "nul-in-workdir": job(`run: a, workdir: ${q("/tmp\0/etc")}`),
  "chain-of-strangers": (name) => job(`run: a, after: [${many(4_000, (n) => `x${n}, `)} y]`)(name),
};

const HUGE = "run: a, resources: { memory: 900GiB }";

/** Texts that are well-formed, and hard to place. */
const PLANNED: Specs = {
  "many-replicas": (name) => app(name, "services: { x: { run: a, replicas: 10000, resources: { memory: 900GiB } } }\n"),
  "large-gang": (name) => app(name, "jobs: { x: { run: a, nodes: 1000, resources: { cpu: 1m, memory: 1MiB } } }\n"),
  "long-chain": (name) =>
    app(name, `jobs:\n${many(300, (n) => `  j${n}: { ${HUGE}, after: [j${n + 1}] }\n`)}  j300: { ${HUGE} }\n`),
  "together-and-apart": (name) =>
    app(
      name,
      `services:\n  x: { run: a, ${LITTLE}, place: { together_with: [y] } }\n` +
        `  y: { run: a, ${LITTLE}, place: { apart_from: [x] } }\n`,
    ),
  "hosts-that-are-none": job(`run: a, place: { hosts: [${many(200, (n) => `box${n}, `)} last] }`),
};

/** Commands and paths that cannot be started, each with a reason that holds the worst of them. */
const UNSTARTABLE: Specs = {
  "long-command": daemon(`command: [${q(`/nowhere/${"x".repeat(6_000)}`)}]`),
  "long-command-of-a-job": job(`command: [${q(`/nowhere/${"x".repeat(6_000)}`)}]`),
  "long-command-of-a-service": (name) =>
    app(name, `services:\n  x: { ${LITTLE}, replicas: 2, command: [${q(`/nowhere/${"x".repeat(6_000)}`)}] }\n`),
  "long-script": daemon(`run: ${q(`exec /nowhere/${"y".repeat(6_000)}`)}`),
  "control-command": daemon(`command: [${q("/no\u001b[2J\u001b]0;title\u0007\u202e(x) y\r\n")}]`),
  "huge-argv": daemon(`command: [echo, ${many(4_000, () => "zzzzzzzzzz, ")} z]`),
  "long-workdir": daemon(`run: a, workdir: ${q(`/${"w".repeat(200)}`.repeat(20).slice(0, 4_000))}`),
  "control-workdir": daemon(`run: a, workdir: ${q("/no\u001b[31m\u2066")}`),
  "long-shell": daemon(`run: a, shell: ${q(`/nowhere/${"s".repeat(3_000)}`)}`),
  "device-as-workdir": daemon("run: a, workdir: /dev/zero"),
  "device-as-command": daemon("command: [/dev/zero]"),
  "directory-as-command": daemon("command: [/tmp/../etc/]"),
  "process-as-workdir": daemon("run: a, workdir: /proc/self/fd/3/../1"),
};

const inDirectory = (dir: string): Specs => ({
  "pipe-as-workdir": daemon(`run: a, workdir: ${q(join(dir, "pipe"))}`),
  "pipe-as-command": daemon(`command: [${q(join(dir, "pipe"))}]`),
  "pipe-as-shell": daemon(`run: a, shell: ${q(join(dir, "pipe"))}`),
  "dots-as-workdir": daemon(`run: "${STAY}", workdir: ${q(`${dir}/../../../../../../..${dir}`)}`),
});

/** Commands that run, and break what they can reach. */
const RUNNING: Specs = {
  forks: script(`for i in $(seq 40); do (setsid sleep 98765 &); done; exit 0`),
  "forks-that-stay": script(`for i in $(seq 40); do setsid sleep 98765 & done; wait`),
  "ignores-signals": script(`trap "" TERM INT HUP; ${STAY}`),
  "stops-itself": script("kill -STOP $$; sleep 98765"),
  "crashes-itself": script("kill -SEGV $$"),
  "renames-itself": script(`printf '\\033[31m) R 1 (' > /proc/$$/comm; ${STAY}`),
  "closes-everything": script("exec 0<&- 1>&- 2>&- 3>&-; sleep 98765"),
  "writes-much": script("yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | head -c 20000000; sleep 98765"),
  "writes-one-line": script("head -c 3000000 /dev/zero | tr '\\0' x; exit 3"),
  "writes-broken-text": script("head -c 100000 /dev/urandom; head -c 100000 /dev/urandom >&2; exit 3"),
  "writes-sequences": script("printf '\\033[2J\\033]0;title\\007\\303(\\n'; printf '\\033c' >&2; exit 3"),
  "removes-its-directory": script(`${OWN}; rm -rf $d; ${STAY}`),
  "fills-notes": script(`${OWN}; head -c 30000000 /dev/zero > notes; exit 127`),
  "fills-marks": script(`${OWN}; head -c 30000000 /dev/zero >> marks; ${STAY}`),
  "lies-in-its-claim": script(
    `${OWN}; echo 'exit {"exit_code":1e999,"started_ms":-1,"ended_ms":1e300}' >> claim; ${STAY}`,
  ),
  ...Object.fromEntries(
    FILES.map((file) => [
      `pipe-as-${file.replace(".json", "")}`,
      script(`${OWN}; rm -f ${file}; mkfifo ${file}; ${STAY}`),
    ]),
  ),
  ...Object.fromEntries(
    FILES.map((file) => [`link-as-${file.replace(".json", "")}`, script(`${OWN}; ln -sf /dev/zero ${file}; ${STAY}`)]),
  ),
  ...Object.fromEntries(
    FILES.map((file) => [`huge-${file.replace(".json", "")}`, script(`${OWN}; truncate -s 1T ${file}; sleep 98765`)]),
  ),
};

export interface HostileSpec {
  readonly name: string;
  readonly text: string;
  /** Whether the text itself is to be refused. */
  readonly refused: boolean;
}

/** Returns all specs. `dir` holds the pipe that some of them name. */
export function hostileSpecs(dir: string): readonly HostileSpec[] {
  const taken = { ...PLANNED, ...UNSTARTABLE, ...inDirectory(dir), ...RUNNING };
  const of = (specs: Specs, refused: boolean): HostileSpec[] =>
    Object.entries(specs).map(([name, text]) => ({ name, text: text(name), refused }));
  return [...of(REFUSED, true), ...of(taken, false)];
}

/** What became of one spec, as it is printed. */
export interface Told {
  readonly name: string;
  readonly is: "taken" | "refused" | "removed" | "broken";
  readonly why: string;
  readonly took_ms: number;
  /** How long another request took that was sent at the same time. */
  readonly other_ms: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: "string", default: "" },
      token: { type: "string", default: "" },
      dir: { type: "string", default: "/tmp/orch-hostile" },
      only: { type: "string", multiple: true, default: [] },
      remove: { type: "boolean", default: false },
    },
  });
  const { url, token, dir, only, remove } = values;
  mkdirSync(dir, { recursive: true });
  Bun.spawnSync(["mkfifo", join(dir, "pipe")]);
  const client = connect({ url, token });
  const timed = async <T>(work: Promise<T>): Promise<readonly [T, number]> => {
    const from_ms = performance.now();
    return [await work, Math.round(performance.now() - from_ms)];
  };
  const one = async ({ name, text }: HostileSpec): Promise<Pick<Told, "is" | "why">> => {
    try {
      if (remove) await client.removeApp("hostile", `hostile-${name}`);
      else await client.apply("hostile", `hostile-${name}`, { text, file: `${name}.yaml`, revision: null });
      return { is: remove ? "removed" : "taken", why: "" };
    } catch (error) {
      const refused = error instanceof ApiError && error.status < 500;
      return { is: refused ? "refused" : "broken", why: String(error).slice(0, 300) };
    }
  };
  for (const spec of hostileSpecs(dir)) {
    if (only.length > 0 && !only.includes(spec.name)) continue;
    const [[answer, took_ms], [, other_ms]] = await Promise.all([timed(one(spec)), timed(client.nodes())]);
    console.log(JSON.stringify({ name: spec.name, ...answer, took_ms, other_ms } satisfies Told));
  }
}

if (import.meta.main) await main();
