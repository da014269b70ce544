// The values of Slurm's options in the words of orch.

import { parseArray } from "../../core/model/array";
import { legalName } from "../../spec/grammar/names";
import { PER, type Words } from "./combine";

/** What an option of a job is here. */
export interface Becomes {
  /** Flags with their values. */
  readonly flags?: readonly Words[];
  /** What is different, or left out. */
  readonly why?: string | null;
  /** Whether no command line means the same. `why` says so. */
  readonly never?: boolean;
}

/** `gpu:a100:2` is `a100:2`, and `gpu` is one card. `all` has no counterpart: a task has a number of cards. */
export const cards = (typed: string): string => {
  const asked = typed
    .replace(/^device=/, "")
    .replace(/^gpu\b:?/, "")
    .replace(/\(.*\)$/, "");
  return asked === "" || asked === "all" ? "1" : asked;
};

/** Slurm's memory without a unit is in MiB, and 0 is all that a node has. */
export const memory =
  (flag: string) =>
  (typed: string): Becomes =>
    /^0+[kmgt]?$/i.test(typed)
      ? { why: "all of a node's memory has no word: --memory names a size" }
      : { flags: [[flag, /^\d+$/.test(typed) ? `${typed}MiB` : typed]] };

/** Slurm's time without a colon is in minutes. With one colon it is minutes and seconds. */
export const minutes = (typed: string): string =>
  /^(0+|unlimited|infinite)$/i.test(typed)
    ? "0"
    : /^\d+$/.test(typed)
      ? `${typed}m`
      : typed.replace(/^(\d+):(\d\d)$/, (_, m, s) => `${Number(m)}m${Number(s)}s`);

/** The flags for what `--dependency` calls its conditions. */
const AFTER: Readonly<Record<string, string>> = {
  afterok: "--after",
  afterany: "--after-any",
  afternotok: "--after-failed",
};

export function dependency(typed: string): Becomes {
  const conditions = typed.split(/[,?]/).map((one) => one.split(":"));
  const isNumber = (when: string): boolean => /^\d+$/.test(when);
  const flags = conditions.flatMap(([when = "", ...runs]) => {
    const flag = AFTER[when] ?? (isNumber(when) ? "--after-any" : null);
    if (flag === null) return [];
    return [...(isNumber(when) ? [when] : []), ...runs].map((run) => [flag, run.split("+")[0] ?? run]);
  });
  const lost = conditions.map(([when = ""]) => when).filter((when) => AFTER[when] === undefined && !isNumber(when));
  const any = typed.includes("?") ? ["all of them are waited for, not any"] : [];
  const said = [...lost.map((when) => `${when} has no counterpart`), ...any];
  return { flags, why: said.length === 0 ? null : said.join(", ") };
}

/** `gpu:a100:2`, and what else a node counts, with commas between them. */
export function gres(typed: string): Becomes {
  const all = typed.split(",").filter((one) => one !== "" && !/^none$/i.test(one));
  const isCards = (one: string): boolean => !one.startsWith("shard") && /^(gpu\b|\d|[a-z]+\d)/i.test(one);
  const [first, ...more] = all.filter(isCards);
  const said = all
    .filter((one) => !isCards(one))
    .map((one) =>
      one.startsWith("shard")
        ? "a share of a card is asked for by its memory: --gpu '{ share: 8GB }'"
        : `${one}: a run asks for cards; a file asks for what else is counted (resources)`,
    );
  if (more.length > 0) said.push("a run has cards of one kind: --gpu A100,H100:2 takes either");
  return { flags: first === undefined ? [] : [["--gpu", cards(first)]], why: said.join("; ") || null };
}

/** A feature that is the name of a card asks for such cards. */
export function feature(typed: string): Becomes {
  if (/[|*[(]/.test(typed))
    return {
      why: "choose by labels of nodes with --where, such as 'zone in (a, b)', or by cards with --gpu A100,H100",
    };
  const isCard = (one: string): boolean => /^(a|h|b|v|l|t|p|gb|gh|mi|rtx|gtx|k)[-_]?\d{1,4}[a-z]*$/i.test(one);
  return { flags: typed.split(/[&,]/).map((one) => [isCard(one) ? PER.model : "--where", one]) };
}

export const exported = (typed: string): Becomes => ({
  flags: typed
    .split(",")
    .filter((one) => one !== "" && !/^(ALL|NONE|NIL)$/.test(one))
    .map((one) => ["--env", one]),
  why: /(^|,)ALL(,|$)/.test(typed) ? "the environment of here is not taken: --env names variables" : null,
});

/** `0-99%8` is written alike, and `7` is an array of one. A list of elements has no counterpart. */
export function array(typed: string): Becomes {
  const range = typed.replace(/^(\d+)(?=$|%)/, "$1-$1");
  const read = parseArray(range);
  if (!("wrong" in read)) return { flags: [["--array", range]] };
  const why = typed.includes(",") ? "has several ranges, and --array takes one, such as 0-99" : read.wrong;
  return { why: `${typed} ${why}`, never: true };
}

export function jobName(typed: string): Becomes {
  const legal = legalName(typed);
  const why = legal === typed ? null : `${typed}: names are lower-case letters, digits and dashes`;
  return { flags: legal === null ? [] : [["--name", legal]], why };
}

export function partition(typed: string): Becomes {
  const [first = typed, ...more] = typed.split(",");
  return { flags: [["--pool", first]], why: more.length > 0 ? `a run is in one pool, not in ${typed}` : null };
}

/** `2`, `1-2` or `2k`: a gang has a fixed number of members. */
export function nodes(typed: string): Becomes {
  const [count] = /^\d+/.exec(typed) ?? [];
  if (count === undefined) return { why: `-N ${typed}: a run takes a number of nodes, with --nodes` };
  return {
    flags: [["--nodes", count]],
    why: /^\d+-/.test(typed) ? `a run takes a fixed number of nodes: the least of ${typed}` : null,
  };
}

export const tasks = (typed: string): Becomes => ({
  flags: [[PER.tasks, typed]],
  why:
    typed === "1"
      ? null
      : `a run is one process, which starts ${typed} tasks on all their cores; --nodes ${typed} is so many machines`,
});
