// The grammars of texts that describe a process: names of environment variables, account, directory, shell.

import { VARIABLES } from "../../core/model/variables";
import { invalid, parsed, quoted, type Parsed } from "../issue";

/** Names that orch sets in every task, so a spec must not set them. */
const OWN: ReadonlySet<string> = new Set([
  ...Object.entries(VARIABLES)
    .filter(([name, { when }]) => name.startsWith("ORCH_") && when === "always")
    .map(([name]) => name),
  // Of the results of a run, which come later.
  "ORCH_OUT",
]);

export function readEnvName(text: string): Parsed<string> {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(text)) {
    return invalid(
      `${quoted(text)} is not the name of a variable`,
      "letters, digits and `_`, not beginning with a digit",
    );
  }
  return OWN.has(text) ? invalid(`\`${text}\` is set by orch`, "choose another name") : parsed(text);
}

export function readAccount(text: string): Parsed<string> {
  if (/^[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?$/.test(text)) return parsed(text);
  return invalid(
    `${quoted(text)} is not an account's name`,
    /^\d+(:\d+)?$/.test(text) ? "accounts are found by name, since numbers differ between machines" : "such as `alice`",
  );
}

export function readWorkdir(text: string): Parsed<string> {
  if (text.startsWith("/") && text.length <= 4_096) return parsed(text);
  return invalid(
    text.length > 4_096 ? "is longer than 4096 characters" : `${quoted(text)} is not an absolute path`,
    "it begins with `/`",
  );
}

export function readShell(text: string): Parsed<string> {
  if (/^[A-Za-z0-9_./+-]+$/.test(text)) return parsed(text);
  return invalid(
    `${quoted(text)} is not the name of a shell`,
    "a program's name or path, such as `bash`; `-c` is added",
  );
}
