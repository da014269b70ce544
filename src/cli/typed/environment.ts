// The environment of a job from the command line: `--env K=V`, `--env K` from the caller's environment, and files of
// variables.

import { invalid, parsed, quoted, type Parsed } from "../../spec/issue";
import { readEnvName } from "../../spec/grammar/process";

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads `K=V`, or `K` for the value that the caller's environment has. */
export function readEnv(text: string, own: Environment): Parsed<readonly [string, string]> {
  const at = text.indexOf("=");
  const name = readEnvName(at < 0 ? text : text.slice(0, at));
  if (name.is === "invalid") return name;
  if (at >= 0) return parsed([name.value, text.slice(at + 1)]);
  const value = own[name.value];
  return value === undefined
    ? invalid(`${text} is not set here`, `give it a value: ${text}=…`)
    : parsed([name.value, value]);
}

/**
 * Reads lines of `K=V` or `K`. Empty lines and lines that begin with `#` are skipped. Values are taken as they are,
 * quotes included.
 */
export function readEnvFile(text: string, own: Environment): Parsed<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const [n, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    const one = readEnv(line, own);
    if (one.is === "invalid") return invalid(`line ${n + 1}: ${one.message} (${quoted(line)})`, one.hint);
    env[one.value[0]] = one.value[1];
  }
  return parsed(env);
}
