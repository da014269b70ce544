// The worst that an agent can be brought to say: texts, numbers and lists as files, processes and tools may hold them,
// put at random places of messages that are otherwise whole.

import type { Dice } from "./random";

const TEXTS: readonly string[] = [
  "",
  "x".repeat(6_000),
  "\u0000\u0001\u001b[31m",
  "\ud800",
  "half \udfff of",
  "(a) b) (c",
  "\u202e\u2066 rtl",
  "…".repeat(5_000),
  "é".repeat(4_096),
  "\uffff".repeat(100),
  '"\\\n\r\t',
  "__proto__",
  new TextDecoder().decode(new Uint8Array([0xc3, 0x28, 0xff, 0xfe, 0xe2, 0x82])),
  "y".repeat(70_000),
];
const NUMBERS: readonly number[] = [0, -0, -1, 0.5, 2 ** 53, 2 ** 64, 1e300, -1e300, Infinity, -Infinity, NaN, 1e-320];
const OTHERS: readonly unknown[] = [null, true, false, [], {}, [null], { a: 1 }, undefined];

const ENTRIES = 40;

/** Returns another value of the same kind, or now and then of another kind. */
function worse(dice: Dice, value: unknown, wild: boolean): unknown {
  if (wild && dice.chance(0.2)) return dice.pick(OTHERS);
  if (typeof value === "string") return dice.pick(TEXTS);
  if (typeof value === "number") return dice.pick(NUMBERS);
  if (Array.isArray(value))
    return Array.from({ length: dice.below(ENTRIES) }, () => dice.pick([...value, null]) as unknown);
  return value === null ? dice.pick([...TEXTS, ...NUMBERS, null]) : value;
}

/**
 * Returns a copy of `value` with some of its parts made worse. What `keep` names by its path stays. `wild` puts values
 * of other kinds as well, as only a broken agent sends them.
 */
export function worst(dice: Dice, value: unknown, keep: (path: string) => boolean, wild: boolean, path = ""): unknown {
  if (keep(path)) return value;
  if (dice.chance(0.15) && path !== "") return worse(dice, value, wild);
  if (Array.isArray(value)) return value.map((one, n) => worst(dice, one, keep, wild, `${path}.${n}`) as unknown);
  if (typeof value !== "object" || value === null) return value;
  const made = Object.entries(value).map(([key, one]): [string, unknown] => [
    key,
    worst(dice, one, keep, wild, `${path}.${key}`),
  ]);
  return Object.fromEntries(made);
}
