// Two exported types of src never share a name, so that a name can be searched for and means one shape wherever it is
// read.

import { lineAt, type Refusal, type Source } from "./source";

/** Names that two files may export, and why. */
const SHARED: Readonly<Record<string, string>> = {
  AgentOptions: "the command line's view of a part that only main starts (src/cli/parts.ts)",
  Context: "what a command and what a route is given; nothing sees both",
  Restored: "as AgentOptions",
  RunningServer: "as AgentOptions",
  ServerOptions: "as AgentOptions",
};

const EXPORTED_TYPE = /^export (?:abstract )?(?:interface|type|class) ([A-Za-z_$][\w$]*)/gm;

/** Returns the exported types whose name an earlier file exports too. */
export function doubleTypes(sources: readonly Source[]): Refusal[] {
  const first = new Map<string, string>();
  return sources
    .filter(({ path }) => path.startsWith("src/"))
    .flatMap(({ path, text, code }) =>
      [...code.matchAll(EXPORTED_TYPE)].flatMap((match): Refusal[] => {
        const name = match[1] ?? "";
        const other = first.get(name) ?? path;
        first.set(name, other);
        if (other === path || Object.hasOwn(SHARED, name)) return [];
        const instead = "name each after what it is; a shape that is the same stands in one file";
        return [{ path, line: lineAt(text, match.index), what: `the type ${name} of ${other} again`, instead }];
      }),
    );
}
