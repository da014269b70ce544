// `scontrol update NodeName=box3 State=DRAIN Reason=fan`: the line of orch that does the same to nodes.

import { hostsIn } from "./host-list";

/** What is typed instead, in words for a shell; or why there is no line. */
export type Updated =
  { readonly is: "line"; readonly words: readonly string[] } | { readonly is: "none"; readonly why: string };

export function updateInstead(pairs: readonly string[]): Updated {
  const given = new Map(
    pairs.flatMap((pair) => {
      const at = pair.indexOf("=");
      return at < 1 ? [] : [[pair.slice(0, at).toLowerCase(), pair.slice(at + 1)] as const];
    }),
  );
  const listed = given.get("nodename");
  const nodes = listed === undefined ? [] : hostsIn(listed);
  const state = given.get("state")?.toLowerCase() ?? "";
  const reason = given.get("reason");
  if (nodes.length > 0 && /^(drain|down|fail)$/.test(state)) {
    return { is: "line", words: ["node", "drain", ...nodes, ...(reason === undefined ? [] : ["--reason", reason])] };
  }
  if (nodes.length > 0 && /^(resume|undrain|idle)$/.test(state))
    return { is: "line", words: ["node", "resume", ...nodes] };
  if (given.has("jobid") || given.has("job")) {
    return { is: "none", why: "changing a run that waits is not built yet: orch cancel it, and make it anew" };
  }
  return { is: "none", why: "of nodes, orch node drain, resume, label and taint change what may change" };
}
