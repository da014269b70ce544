// Conditions on nodes as people write them: label expressions, and the taints that a workload accepts.

import type { LabelCheck, Toleration } from "../../core/model/workload";
import { invalid, parsed, quoted, type Parsed } from "../issue";

const KEY = "[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?";
/** `\\p{C}` are the control characters, those without width, and those that are none. */
const VALUE = String.raw`[^\s,()=!\p{C}]{0,128}`;
const IS_KEY = new RegExp(`^${KEY}$`);
const IS_VALUE = new RegExp(`^${VALUE}$`, "u");
const LISTED = new RegExp(String.raw`^(${KEY})\s+(in|notin|not\s+in)\s*\(([^()]*)\)$`);
const COMPARED = new RegExp(String.raw`^(${KEY})\s*(==?|!=)\s*(${VALUE})$`, "u");

const SHAPES = "`zone in (a, b)`, `zone notin (a)`, `zone=a`, `zone!=a`, `zone`, `!zone`";

/** Reads one expression on a label. */
export function readExpression(text: string): Parsed<LabelCheck> {
  const expression = text.trim();
  const absent = expression.startsWith("!") ? expression.slice(1).trim() : null;
  if (absent !== null && IS_KEY.test(absent)) return parsed({ key: absent, op: "absent", values: [] });
  if (IS_KEY.test(expression)) return parsed({ key: expression, op: "exists", values: [] });
  const compared = COMPARED.exec(expression);
  if (compared !== null) {
    const [, key = "", sign, value = ""] = compared;
    return parsed({ key, op: sign === "!=" ? "not_in" : "in", values: [value] });
  }
  const listed = LISTED.exec(expression);
  if (listed !== null) {
    const [, key = "", word, list = ""] = listed;
    const values = list.split(",").map((value) => value.trim());
    const wrong = values.find((value) => value === "" || !IS_VALUE.test(value));
    if (wrong !== undefined)
      return invalid(`${quoted(text)} lists ${quoted(wrong)}, which is no value of a label`, SHAPES);
    return parsed({ key, op: word === "in" ? "in" : "not_in", values });
  }
  return invalid(`${quoted(text)} is not a label expression`, SHAPES);
}

/** Joins items that YAML has split: it reads `[zone in (a, b)]` as a list of two items, `zone in (a` and `b)`. */
export function mendTorn(items: readonly string[]): { at: number; expression: string }[] {
  const out: { at: number; expression: string }[] = [];
  items.forEach((item, at) => {
    const last = out.at(-1);
    const open = last?.expression.includes("(") === true && !last.expression.includes(")");
    if (last !== undefined && open && !item.includes("(")) last.expression += `, ${item}`;
    else out.push({ at, expression: item });
  });
  return out;
}

/** Reads the map form, `{ zone: a }` or `{ zone: [a, b] }`. */
export function readLabelMap(map: Readonly<Record<string, string | readonly string[]>>): Parsed<LabelCheck[]> {
  const checks: LabelCheck[] = [];
  for (const [key, given] of Object.entries(map)) {
    if (!IS_KEY.test(key)) return invalid(`${quoted(key)} is not the key of a label`, "letters, digits and `._/-`");
    const values = typeof given === "string" ? [given] : given;
    const wrong = values.find((value) => !IS_VALUE.test(value));
    if (wrong !== undefined)
      return invalid(`${quoted(wrong)} is not the value of a label`, "no spaces, commas, brackets, `=` or `!`");
    if (values.length === 0) return invalid(`\`${key}\` lists no value`, `\`[ "${key}" ]\` asks that the label exists`);
    checks.push({ key, op: "in", values });
  }
  return parsed(checks);
}

/** Reads the key of a label of a workload. */
export function readLabelKey(key: string): Parsed<string> {
  return IS_KEY.test(key)
    ? parsed(key)
    : invalid(`${quoted(key)} is not the key of a label`, "letters, digits and `._/-`, at most 63");
}

/** Reads the value of a node's label or taint. */
export function readLabelValue(value: string): Parsed<string> {
  return IS_VALUE.test(value)
    ? parsed(value)
    : invalid(`${quoted(value)} is not the value of a label`, "at most 128 characters, no blanks, `,()=!`");
}

/** Reads `key` or `key=value`. */
export function readToleration(text: string): Parsed<Toleration> {
  const [key = "", ...rest] = text.trim().split("=");
  const value = rest.length === 0 ? null : rest.join("=");
  const effect = /:(no_schedule|prefer_not|no_execute|NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text.trim())?.[0];
  if (effect !== undefined)
    return invalid(`${quoted(text)} names an effect`, `leave it out: \`${text.trim().slice(0, -effect.length)}\``);
  if (IS_KEY.test(key) && (value === null || IS_VALUE.test(value))) return parsed({ key, value });
  return invalid(`${quoted(text)} is not a taint`, "write `key` or `key=value`");
}

/** Reads the map form, `{ team: vision }`. The value `"*"` accepts any value. */
export function readTolerationMap(map: Readonly<Record<string, string>>): Parsed<Toleration[]> {
  const out: Toleration[] = [];
  for (const [key, value] of Object.entries(map)) {
    const one = readToleration(value === "*" ? key : `${key}=${value}`);
    if (one.is === "invalid") return one;
    out.push(one.value);
  }
  return parsed(out);
}
