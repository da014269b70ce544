// A command behind the login shell of its account, which reads the profiles first: what `module` and the site's paths
// come from. The command keeps its words exactly, whatever shell that is.

import { basename } from "node:path";
import type { Command } from "../../core/model/workload";

/** How a shell is told to be a login shell and to become another program. */
type Family = "posix" | "csh" | "fish" | "none";

const FAMILIES: Readonly<Record<string, Family>> = {
  csh: "csh",
  tcsh: "csh",
  fish: "fish",
  // Accounts that nobody logs in to, such as the one that all tasks may share.
  nologin: "none",
  false: "none",
  true: "none",
  sync: "none",
};

/** Puts a directory before what the profiles made of PATH. The script's first argument is the directory, or empty. */
const LEAD = `[ -z "$1" ] || { PATH="$1:$PATH"; export PATH; }
shift
`;

/** What profiles define may be functions, as `module` is, so a command that is no file is the shell's own. */
const ARGV = `case "$(command -v "$1")" in */*) exec "$@" ;; esac
"$@"`;

/** csh takes `-l` only alone, so its login files are read here. Words go to sh as a text: csh drops empty ones. */
const CSH = `if (-r /etc/csh.login) source /etc/csh.login
if (-r ~/.login) source ~/.login
if ("$argv[1]" != "") setenv PATH "\${argv[1]}:\${PATH}"
exec /bin/sh -c $argv[2]:q`;

const FISH = `if test -n "$argv[1]"; set -gx PATH $argv[1] $PATH; end
exec $argv[2..-1]`;

/**
 * Returns the argv of a command behind a login shell. `lead` is a directory to put first in PATH, or null. A text for
 * `sh` is run by the login shell itself where that understands it, so that it finds what the profiles define.
 */
export function loginArgv(shell: string, command: Command, argv: readonly string[], lead: string | null): string[] {
  const asked = command.kind === "shell" && command.shell !== "sh" ? (argv[0] ?? shell) : shell;
  const first = lead ?? "";
  const name = basename(asked);
  switch (FAMILIES[name] ?? "posix") {
    case "csh":
      return [asked, "-c", CSH, first, `exec ${argv.map(quoted).join(" ")}`];
    case "fish":
      return [asked, "-l", "-c", FISH, first, ...argv];
    case "none":
      return posix("/bin/sh", command, argv, first);
    case "posix":
      return posix(asked, command, argv, first);
  }
}

function posix(shell: string, command: Command, argv: readonly string[], first: string): string[] {
  if (command.kind === "argv") return [shell, "-l", "-c", LEAD + ARGV, shell, first, ...argv];
  // Without this, zsh splits no words.
  const emulate = basename(shell) === "zsh" ? "emulate sh\n" : "";
  return [shell, "-l", "-c", `${LEAD}${emulate}${command.script}`, shell, first];
}

/** Returns a word as sh reads it back. */
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
