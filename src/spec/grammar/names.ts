// The grammar of names of apps, workloads, projects and ports, and the legal name nearest to an illegal one.

import { invalid, parsed, quoted, type Parsed } from "../issue";

export const NAME = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

export const isName = (text: string): boolean => NAME.test(text);

/** Returns a legal name for any text (`my-app-2` for `My_App 2`), or null if nothing of it can stay. */
export function legalName(text: string): string | null {
  const made = text
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[\u0300-\u036f]/g, "")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return isName(made) ? made : null;
}

/** Reads a name. */
export function readName(text: string): Parsed<string> {
  if (isName(text)) return parsed(text);
  const legal = legalName(text.slice(0, 200));
  const rule = "lower-case letters, digits and dashes, beginning with a letter, at most 40";
  return invalid(`${quoted(text)} is not a name`, legal === null ? rule : `${rule}: \`${legal}\``);
}
