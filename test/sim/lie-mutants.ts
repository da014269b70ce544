// Mutants that each believe a node's word about others. Every `find` occurs exactly once in its file.

import { edit, type Mutant } from "./mutant";

export const LIE_MUTANTS: readonly Mutant[] = [
  {
    name: "stamps-are-believed",
    rule: "protocol 24: a stamp counts only with the server's signature",
    edits: [
      edit("src/server/agents/greeting.ts", "if (!verifyPassed(hub.identity, highest)) {", "if (highest.epoch < 0) {"),
    ],
  },
  {
    name: "any-node-ends-a-task",
    rule: "protocol 24: a node's word steers nothing but its own tasks",
    edits: [edit("src/core/intake/observe.ts", "else if (task.node_id !== node.id)", 'else if (task.node_id === "")')],
  },
  {
    name: "unsealed-ends-are-taken",
    rule: "protocol 24: a restored server takes in only what a server has assigned",
    edits: [
      edit(
        "src/core/intake/observe.ts",
        'if (!context.isAssigned(node.id, entry, "place")) {',
        'if (entry.uid === "") {',
      ),
    ],
  },
  {
    name: "nothing-is-cut",
    rule: "protocol 26: both ends hold what is beyond a bound to the bound",
    edits: [
      edit(
        "src/wire/fit.ts",
        "return JSON.stringify(whole ? made.value : message);",
        "return JSON.stringify(message);",
      ),
      edit(
        "src/wire/fit.ts",
        'return made.is === "fitted" ? { ...made, is: "read" } : { is: "unreadable", why: made.why };',
        'return { is: "unreadable", why: made.is };',
      ),
    ],
  },
  {
    name: "unreadable-is-absent",
    rule: "protocol 26: a task that cannot be read in an inventory is there",
    edits: [
      edit(
        "src/server/agents/unread.ts",
        "const others = entries.map(unreadableTask).filter(({ uid }) => !ended.has(uid));",
        "const others = entries.map(unreadableTask).filter(({ uid }) => ended.has(uid));",
      ),
    ],
  },
];
