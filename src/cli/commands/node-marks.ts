// `orch node label` and `orch node taint`: what operators write on a node, and what that leaves where it is.

import type { Taint } from "../../core/model/workload";
import type { NodeView } from "../../wire/api/nodes";
import type { Context } from "../context";
import { CliError, EXIT, UsageError } from "../failure";
import { command, readAs } from "../frame/command";
import { taintText } from "../print/nodes";
import { readLabel, readTaint } from "../typed/readers";
import { readTasks } from "../follow/pages";
import { eachNode } from "./node";

const NAMED = 5;

const someOf = (names: readonly string[]): string =>
  names.slice(0, NAMED).join(", ") + (names.length > NAMED ? ` and ${names.length - NAMED} more` : "");

/** Says which tasks leave a node, and which stay that it would not get any more. */
async function noteUnmatched(context: Context, { id, name, unmatched, repelled }: NodeView): Promise<void> {
  const goes = repelled.length === 1 ? "1 task leaves" : `${repelled.length} tasks leave`;
  if (repelled.length > 0) context.note(`${goes} it: ${someOf(repelled)}; orch events ${name} tells how`);
  const count = unmatched.length;
  if (count === 0) return;
  const stay =
    count === 1 ? "1 task stays although it no longer matches" : `${count} tasks stay although they no longer match`;
  context.note(`${stay}: ${someOf(unmatched)}`);
  const { items } = await readTasks(await context.client(), { of: id });
  // A job ends by itself, and is not restarted.
  const restarted = items.filter((task) => task.app !== null && task.kind !== "job" && unmatched.includes(task.name));
  const workloads = [...new Set(restarted.map(({ project, app, workload }) => `${project}/${app}.${workload}`))];
  const restart = workloads.length === 0 ? "" : `orch restart ${workloads.slice(0, NAMED).join(" ")}, or `;
  context.note(`to move them: ${restart}orch node drain ${name}`);
}

export const nodeLabel = command({
  operands: ["<NODE>", "<NODE|K=V|K-...>"],
  examples: [
    ["orch node label box1 zone=a", "set"],
    ["orch node label box1 box2 zone=a rack-", "of several: set one, remove another"],
  ],
  async run(context, { args }) {
    const { names, changes } = nodesAndChanges(args, /=|-$/);
    const remove = changes.filter(isRemoval).map(withoutDash);
    const pairs = changes.filter((one) => !isRemoval(one)).map((one) => readAs("label", one, readLabel));
    const set = Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
    const client = await context.client();
    return eachNode(context, names, async (name) => {
      if (remove.length > 0) {
        const { labels } = await client.node(name);
        requireThere(
          name,
          "label",
          remove.filter((key) => !Object.hasOwn(labels, key)),
          Object.keys(labels),
        );
      }
      const node = await client.label(name, { set, remove });
      const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`);
      context.print(`${node.name}: ${labels.length === 0 ? "no labels" : labels.join(" ")}`);
      await noteUnmatched(context, node);
    });
  },
});

interface NodesAndChanges {
  readonly names: readonly string[];
  readonly changes: readonly string[];
}

/** Splits operands into the nodes, which come first, and what changes of them. The last one is a change in any case. */
function nodesAndChanges(args: readonly string[], isChange: RegExp): NodesAndChanges {
  const found = args.findIndex((one, at) => at > 0 && isChange.test(one));
  const first = found < 0 ? args.length - 1 : found;
  return { names: [...new Set(args.slice(0, first))], changes: args.slice(first) };
}

export const nodeTaint = command({
  operands: ["<NODE>", "<NODE|K=V:EFFECT|K-...>"],
  examples: [
    ["orch node taint box1 team=vision:no_schedule", "only for who tolerates it"],
    ["orch node taint box1 repair:no_execute", "also moves away what runs there"],
    ["orch node taint box1 box2 team-", "remove, of several; team:no_execute- leaves other effects"],
  ],
  async run(context, { args }) {
    const { names, changes } = nodesAndChanges(args, /[=:]|-$/);
    const gone = changes.filter((one) => one.endsWith("-")).map(readGone);
    const set = changes.filter((one) => !one.endsWith("-")).map((one) => readAs("taint", one, readTaint));
    const client = await context.client();
    return eachNode(context, names, async (name) => {
      const change = gone.length === 0 ? { set, remove: [] } : withoutTaints(await client.node(name), set, gone);
      const node = await client.taint(name, change);
      context.print(`${node.name}: ${node.taints.length === 0 ? "no taints" : node.taints.map(taintText).join(" ")}`);
      await noteUnmatched(context, node);
    });
  },
});

/** A taint that is to go: that of an effect, or all of the key. */
interface GoneTaint {
  readonly typed: string;
  readonly key: string;
  readonly value: string | null;
  readonly effect: string | null;
}

/** Reads `team-`, and what kubectl takes: `team:no_execute-`, `team=vision:NoExecute-`. */
function readGone(change: string): GoneTaint {
  const typed = withoutDash(change);
  const { key, value, effect } = readAs("taint", typed, readTaint);
  return { typed, key, value: typed.includes("=") ? value : null, effect: typed.includes(":") ? effect : null };
}

/** Returns the change that leaves all taints but some. Throws CliError for a taint that is not there. */
function withoutTaints(
  { name, taints }: NodeView,
  set: readonly Taint[],
  gone: readonly GoneTaint[],
): { readonly set: Taint[]; readonly remove: string[] } {
  const has = (one: GoneTaint, taint: NodeView["taints"][number]): boolean =>
    one.key === taint.key &&
    (one.value === null || one.value === taint.value) &&
    (one.effect === null || one.effect === taint.effect);
  const missing = gone.filter((one) => !taints.some((taint) => has(one, taint))).map(({ typed }) => typed);
  requireThere(name, "taint", missing, taints.map(taintText));
  const remove = [...new Set(gone.map(({ key }) => key))];
  // The server removes all taints of a key. Those of other effects are set again with the same change.
  const isSet = (taint: Pick<Taint, "key">, effect: string): boolean =>
    set.some((one) => one.key === taint.key && one.effect === effect);
  const kept = taints.filter(
    (taint) => remove.includes(taint.key) && !gone.some((one) => has(one, taint)) && !isSet(taint, taint.effect),
  );
  return { set: [...(kept as Taint[]), ...set], remove };
}

/** Throws CliError for labels or taints that a node does not have and is to lose. */
function requireThere(name: string, what: string, missing: readonly string[], has: readonly string[]): void {
  const [first] = missing;
  if (first === undefined) return;
  const hint = has.length === 0 ? `It has no ${what}s` : `It has: ${has.join(" ")}`;
  throw new CliError(EXIT.failed, `${name} has no ${what} ${first}; nothing was changed`, hint);
}

const isRemoval = (change: string): boolean => change.endsWith("-") && !change.includes("=");

function withoutDash(change: string): string {
  const key = change.slice(0, -1);
  if (key === "") throw new UsageError(`${change}: a name is missing`, "Write KEY- to remove KEY");
  return key;
}
