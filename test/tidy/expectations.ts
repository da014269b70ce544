// What tidy refuses in a test because it can pass without the thing it is about: expectations on made-up values, on
// themselves, under a condition, on the clock, and tests that expect nothing.

import { lineAt, type Refusal, type Source } from "./source";

/** Returns the offset behind the parenthesis that closes the one at `open`. */
function closing(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if ("([{".includes(code[i]!)) depth++;
    if (")]}".includes(code[i]!) && --depth === 0) return i + 1;
  }
  return code.length;
}

interface Expectation {
  readonly at: number;
  /** The actual value of the expectation, as code with its strings blanked. */
  readonly actual: string;
  readonly actualText: string;
  readonly negated: boolean;
  readonly matcher: string;
  readonly expected: string;
  readonly expectedText: string;
}

/** Returns all `expect(…).matcher(…)` of a file. */
function expectationsIn({ code, text }: Source): Expectation[] {
  return [...code.matchAll(/\bexpect\(/g)].flatMap(({ index: at }) => {
    const end = closing(code, at + "expect".length);
    const matcher = /^(\s*\.(?:resolves|rejects))?(\s*\.not)?\s*\.(to\w+)\(/.exec(code.slice(end));
    if (matcher === null) return [];
    const open = end + matcher[0].length - 1;
    const last = closing(code, open);
    const inside = (of: string, from: number, to: number): string => of.slice(from, to - 1).trim();
    return {
      at,
      actual: inside(code, at + "expect(".length, end),
      actualText: inside(text, at + "expect(".length, end),
      negated: matcher[2] !== undefined,
      matcher: matcher[3]!,
      expected: inside(code, open + 1, last),
      expectedText: inside(text, open + 1, last),
    };
  });
}

/** A default that could be mistaken for a value that was hoped for. */
const MADE_UP = /\?\?(?!\s*(?:null|undefined)\b)/;
/** Matchers that many values satisfy. With these, a default in the expected value may let anything pass. */
const LOOSE = /^toBe(?:Greater|Less|Within|Close)/;
const VAGUE = /^toBe(?:Defined|Truthy|Falsy)$/;

function refusalOf(one: Expectation): readonly [what: string, instead: string] | null {
  if (MADE_UP.test(one.actual.split("=>")[0]!)) {
    return ["an expectation on a default", "expect it of the value itself (`!`), so that a missing one fails"];
  }
  if ((one.negated || LOOSE.test(one.matcher)) && one.expected.includes("??")) {
    return ["an expectation against a default", "compare with the value itself (`!`), so that a missing one fails"];
  }
  if (VAGUE.test(one.matcher) && !one.negated)
    return [`${one.matcher} says little`, "say what it is, with toBe or toEqual"];
  if (one.actualText !== "" && one.actualText === one.expectedText) {
    return ["a value is compared with itself", "write down what is expected"];
  }
  return null;
}

/** What can make a test fail: an expectation, a wait with a deadline, an error of its own. */
const FAILS = /\bexpect\w*\b|\bwaitUntil\b|\.(?:until|line)\(|\bthrow\b/;

/** Returns the names of a file's functions that can fail a test, by themselves or through each other. */
function failing(code: string): Set<string> {
  const bodies = new Map<string, string>();
  const lines = code.split("\n");
  lines.forEach((line, i) => {
    const [, indent = "", name] = /^(\s*)(?:export )?(?:async )?(?:function|const) (\w+)/.exec(line) ?? [];
    if (name === undefined) return;
    const within = (one: string): boolean => one === "" || one.startsWith(`${indent} `) || /^\s*[})\]]/.test(one);
    const length = lines.slice(i + 1).findIndex((one) => !within(one));
    bodies.set(name, lines.slice(i, length < 0 ? undefined : i + 1 + length).join("\n"));
  });
  const found = new Set([...bodies].flatMap(([name, body]) => (FAILS.test(body) ? [name] : [])));
  for (let before = -1; before !== found.size;) {
    before = found.size;
    const uses = new RegExp(`\\b(?:${[...found, "\\0"].join("|")})\\(`);
    for (const [name, body] of bodies) if (uses.test(body)) found.add(name);
  }
  return found;
}

/** Returns the tests of a file that nothing can fail. */
function idleTests({ code }: Source): number[] {
  const names = [...failing(code)];
  const calls = new RegExp(`\\b(?:${[...names, "\\0"].join("|")})\\b`);
  return [...code.matchAll(/(?<![.\w])test(?:\.(?:if|skipIf|each)\()?/g)].flatMap(({ 0: head, index }) => {
    let open = index + head.length;
    // Behind the condition, or the table, comes the call itself.
    if (head.endsWith("(")) open = closing(code, open - 1);
    if (code[open] !== "(") return [];
    const body = code.slice(open, closing(code, open));
    return FAILS.test(body) || calls.test(body) ? [] : [index];
  });
}

/** Returns everything of this kind in a test file. */
export function refusedExpectations(source: Source): Refusal[] {
  const { path, text } = source;
  if (!path.endsWith(".test.ts")) return [];
  const refusal = (at: number, what: string, instead: string): Refusal => ({
    path,
    line: lineAt(text, at),
    what,
    instead,
  });
  return [
    ...expectationsIn(source).flatMap((one) => {
      const found = refusalOf(one);
      return found === null ? [] : [refusal(one.at, ...found)];
    }),
    ...idleTests(source).map((at) => refusal(at, "a test expects nothing", "expect what its title says")),
  ];
}
