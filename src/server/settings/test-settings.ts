// `node_tests` of settings.yaml: commands that every node of a pool has to pass besides the built-in tests.

import { BUILT_IN } from "../../core/nodes/judge";
import { MINUTE_MS } from "../../core/units";
import { didYouMean } from "../../spec/grammar/nearest";
import { readDuration } from "../../spec/grammar/units";
import type { PoolTest } from "../context";
import { StartError } from "../refused";

const KEYS = ["name", "command", "run", "timeout", "required", "pool"];
const NAME = /^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$/;
const MOST = 32;
const CHARS = { all: 16_384, one: 4_096 } as const;
const EXAMPLE = "such as: node_tests: [{ name: dcgm, command: [dcgmi, diag, -r, '1'], timeout: 10m, pool: gpu }]";

/** Returns the tests of a settings file. Throws StartError for the first one that is wrong. */
export function nodeTestsOf(value: unknown, file: string): readonly PoolTest[] {
  const wrong = (why: string, hint: string = EXAMPLE): StartError => new StartError(`${file}: node_tests ${why}`, hint);
  if (!Array.isArray(value)) throw wrong("is not a list");
  if (value.length > MOST) throw wrong(`has more than ${MOST} tests`, "Put several checks into one script");
  const tests = value.map((one: unknown, n) => readTest(one, (why, hint) => wrong(`[${n}] ${why}`, hint)));
  const twice = tests.find(({ name, pool }, n) =>
    tests.slice(0, n).some((other) => other.name === name && (other.pool ?? pool) === (pool ?? other.pool)),
  );
  if (twice !== undefined)
    throw wrong(`names ${twice.name} twice for one pool`, "Each test of a pool has its own name");
  const chars = tests.flatMap(({ argv }) => argv).reduce((sum, arg) => sum + arg.length, 0);
  if (chars > CHARS.all) throw wrong("are too long together", "Put what they do into scripts on the nodes");
  return tests;
}

type Wrong = (why: string, hint?: string) => StartError;

function readTest(given: unknown, wrong: Wrong): PoolTest {
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw wrong("is not a map");
  const test = given as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(test).find((key) => !KEYS.includes(key));
  if (unknown !== undefined)
    throw wrong(`has no key ${unknown}`, didYouMean(unknown, KEYS) ?? `keys are ${KEYS.join(", ")}`);
  const { name, required = true, pool = null } = test;
  if (typeof name !== "string" || !NAME.test(name)) throw wrong("has no name of small letters, digits and dashes");
  if (Object.hasOwn(BUILT_IN, name) || name === "gpu") throw wrong(`is called ${name}, as a built-in test is`);
  if (typeof required !== "boolean") throw wrong("has a `required` that is not true or false");
  if (pool !== null && typeof pool !== "string") throw wrong("has a `pool` that is not a name");
  return { name, argv: argvOf(test, wrong), timeout_ms: timeoutOf(test["timeout"], wrong), required, pool };
}

function argvOf({ command, run }: Readonly<Record<string, unknown>>, wrong: Wrong): readonly string[] {
  if ((command === undefined) === (run === undefined)) {
    throw wrong("needs one of `command` (a list of arguments) and `run` (a line for the shell)");
  }
  const argv: readonly unknown[] = run === undefined ? (Array.isArray(command) ? command : []) : ["/bin/sh", "-c", run];
  const texts = argv.map((arg) => (typeof arg === "number" ? String(arg) : arg));
  const isText = (arg: unknown): arg is string => typeof arg === "string" && arg.length <= CHARS.one;
  if (texts.length === 0 || texts.length > 256 || !texts.every(isText)) {
    throw wrong(run === undefined ? "has a `command` that is not a list of arguments" : "has a `run` that is no line");
  }
  return texts;
}

function timeoutOf(given: unknown, wrong: Wrong): number {
  if (given === undefined) return 10 * MINUTE_MS;
  const read = typeof given === "string" ? readDuration(given) : null;
  if (read?.is === "parsed" && read.value > 0) return read.value;
  throw wrong("has a `timeout` that is not a duration", "such as 10m");
}
