// The environment of a job from the command line: `--env K=V`, `--env K` from the caller's environment, files of
// variables, and the virtual environment that is active.

import { resolve } from "node:path";
import { invalid, parsed, quoted, type Parsed } from "../../spec/issue";
import { readEnvName, readWorkdir } from "../../spec/grammar/process";
import type { Activate } from "../../core/model/workload";

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
  // Editors of Windows begin a file with a byte-order mark.
  for (const [n, line] of text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .entries()) {
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    const one = readEnv(line, own);
    if (one.is === "invalid") return invalid(`line ${n + 1}: ${one.message} (${quoted(line)})`, one.hint);
    env[one.value[0]] = one.value[1];
  }
  return parsed(env);
}

/** An environment of programs for a job, and the variables that go with it. `activate: null` is none. */
export interface Active {
  readonly activate: Activate | null;
  readonly env: Readonly<Record<string, string>>;
}

/** Reads `venv=DIR`, `conda=DIR` or `none`. A directory may be written as seen from `cwd`. */
export function readActivate(text: string, cwd: string): Parsed<Active> {
  if (text === "none") return parsed({ activate: null, env: {} });
  const [, kind, dir = ""] = /^(venv|conda)=(.*)$/s.exec(text) ?? [];
  if (kind !== "venv" && kind !== "conda") {
    return invalid(`${quoted(text)} is no environment of programs`, "venv=DIR, conda=DIR or none");
  }
  if (dir === "" || (kind === "conda" && /^[^./][^/]*$/.test(dir))) {
    return invalid(`${quoted(text)} names no directory`, `${kind}=DIR; conda env list shows those of its names`);
  }
  const path = readWorkdir(resolve(cwd, dir));
  return path.is === "invalid" ? path : parsed({ activate: { kind, dir: path.value }, env: {} });
}

/**
 * Returns the environment that is active in a shell, or null. Of a venv and conda's, the one that comes first in PATH
 * was activated last.
 */
export function activeIn(own: Environment): Active | null {
  const { VIRTUAL_ENV: venv, CONDA_PREFIX: conda, CONDA_DEFAULT_ENV: name, PATH = "" } = own;
  const dirs = PATH.split(":");
  const place = (dir: string): number => {
    const at = dirs.indexOf(`${dir}/bin`);
    return at < 0 ? dirs.length : at;
  };
  const isConda = conda?.startsWith("/") === true;
  if (venv?.startsWith("/") === true && !(isConda && place(conda) < place(venv))) {
    return { activate: { kind: "venv", dir: venv }, env: {} };
  }
  if (!isConda) return null;
  return { activate: { kind: "conda", dir: conda }, env: name === undefined ? {} : { CONDA_DEFAULT_ENV: name } };
}
