// A process that was started with a token in its command line or its environment starts anew in its own place without
// it: everybody on the machine can read the one, and every process of the account the other. The token goes through a
// pipe, and the process keeps its id, its files and its standing.

import { closeSync, readFileSync, readSync } from "node:fs";
import { inheritedPipe, replaceProcess } from "./libc";

export interface Veiled {
  readonly argv: readonly string[];
  /** The token of the environment, or undefined. */
  readonly token: string | undefined;
}

const VARIABLE = "ORCH_TOKEN";
/** What stands in the place of a token: the descriptor to read it from. */
const PLACE = /^fd:(\d{1,6})$/;
const FLAG = "--token";
const SECRET = /^orch1-/i;
/** A token has 102 characters. */
const MOST_BYTES = 4_096;

/** The commands that stay, or whose processes hand their environment on. Others end sooner than anybody looks. */
const STAYING: ReadonlySet<string> = new Set(["agent", "up", "server", "run", "logs", "events", "keeper"]);

/**
 * Returns the command line and the token as they were given. Does not return where the process starts anew to hide
 * them; goes on as it is where the system cannot do that.
 */
export function veiled(argv: readonly string[]): Veiled {
  const given = process.env[VARIABLE];
  const hidden = placesIn(argv).map((at) => valueAt(argv, at));
  const inEnvironment = given !== undefined && !PLACE.test(given) && argv.some((word) => STAYING.has(word));
  if (inEnvironment || hidden.some((value) => SECRET.test(value))) startAnew();
  const told = given === undefined ? undefined : PLACE.test(given) ? readPlace(given) : given;
  if (told !== given || inEnvironment) delete process.env[VARIABLE];
  return {
    argv: placesIn(argv).reduce((words, at) => withValue(words, at, readPlace(valueAt(words, at))), argv),
    token: told,
  };
}

/** Returns where in a command line a token is given: the positions of `--token VALUE` and `--token=VALUE`. */
function placesIn(argv: readonly string[]): number[] {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  return own.flatMap((word, at) => {
    const isPlace = (word === FLAG && at + 1 < own.length) || word.startsWith(`${FLAG}=`);
    return isPlace && /^(orch1-|fd:\d)/i.test(valueAt(argv, at)) ? [at] : [];
  });
}

const valueAt = (argv: readonly string[], at: number): string =>
  argv[at] === FLAG ? (argv[at + 1] ?? "") : (argv[at] ?? "").slice(FLAG.length + 1);

function withValue(argv: readonly string[], at: number, value: string): readonly string[] {
  return argv[at] === FLAG ? argv.with(at + 1, value) : argv.with(at, `${FLAG}=${value}`);
}

/** Returns the token that a place stands for; a text that is no place is the token itself. */
function readPlace(text: string): string {
  const fd = PLACE.exec(text)?.[1];
  if (fd === undefined) return text;
  const bytes = Buffer.alloc(MOST_BYTES);
  const length = readSync(Number(fd), bytes);
  closeSync(Number(fd));
  return bytes.toString("utf8", 0, length).trim();
}

const wordsOf = (path: string): string[] => readFileSync(path, "utf8").split("\0").slice(0, -1);

/** Starts this process anew with pipes in the places of its tokens. Returns only where that is not possible. */
function startAnew(): void {
  if (process.platform !== "linux") return;
  const hide = (secret: string): string => {
    const fd = inheritedPipe(secret);
    return fd === null ? secret : `fd:${fd}`;
  };
  const whole = wordsOf("/proc/self/cmdline");
  const argv = placesIn(whole).reduce((words: readonly string[], at) => {
    const value = valueAt(words, at);
    return SECRET.test(value) ? withValue(words, at, hide(value)) : words;
  }, whole);
  const head = `${VARIABLE}=`;
  const env = wordsOf("/proc/self/environ").map((line) =>
    line.startsWith(head) && !PLACE.test(line.slice(head.length)) ? head + hide(line.slice(head.length)) : line,
  );
  replaceProcess("/proc/self/exe", argv, env);
}
