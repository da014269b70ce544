// `orch adopt` and `orch stop NODE/TASK`: decide about an orphan.

import { command } from "../frame/command";
import { CliError, EXIT, UsageError } from "../failure";
import { shortId, withUid } from "../../core/model/task";
import type { Context } from "../context";

export const adopt = command({
  operands: ["<NODE/TASK>"],
  examples: [["orch adopt box1/3f9ac01b22", "take it on: it is the server's from now on"]],
  async run(context, { args: [typed = ""] }) {
    const { node, uid, name } = await findOrphan(context, typed);
    const client = await context.client();
    await client.adoptOrphan(node, uid);
    context.print(`${node}/${name}: adopted`);
    return EXIT.done;
  },
});

export const stop = command({
  operands: ["<NODE/TASK>"],
  examples: [["orch stop box1/3f9ac01b22", "end it"]],
  async run(context, { args: [typed = ""] }) {
    const { node, uid, name } = await findOrphan(context, typed);
    const client = await context.client();
    await client.stopOrphan(node, uid);
    context.print(`${node}/${name}: stopping`);
    return EXIT.done;
  },
});

/** Returns the command that ends what the typed name looks like. */
function howToEnd(typed: string): string {
  if (/^\d+([._#]\d+)*$/.test(typed)) return `To end a run: orch cancel ${typed}`;
  const [, workload] = /^([^.]+\.[^.#]+)/.exec(typed) ?? [];
  if (workload !== undefined) return `To end a service: orch scale ${workload}=0; a run: orch cancel ${workload}`;
  const service = `one service of it: orch scale ${typed}.SERVICE=0`;
  return `To end an app: orch rm ${typed}; ${service}; a run: orch cancel ${typed}`;
}

/** Finds an orphan by its name or the start of its id. */
async function findOrphan(context: Context, typed: string): Promise<{ node: string; uid: string; name: string }> {
  const [, node = "", task = ""] = /^([^/]+)\/(.+)$/.exec(typed) ?? [];
  if (task === "")
    throw new UsageError(`${typed}: not NODE/TASK`, `${howToEnd(typed)}. Unknown tasks of a node: orch node show NODE`);
  const client = await context.client();
  const { orphans } = await client.node(node);
  // Nodes show the short id, and people may have the whole uid from a log, so only that many digits are compared.
  const byId = withUid(orphans, task.slice(0, shortId(task).length), ({ id }) => id);
  const found = byId.length > 0 ? byId : orphans.filter(({ name }) => name === task);
  const [only] = found;
  if (only === undefined) {
    throw new CliError(
      EXIT.failed,
      `${node} has no unknown task ${task}`,
      "To end a task of yours: orch cancel, orch scale, orch rm",
    );
  }
  if (found.length > 1) {
    throw new CliError(EXIT.failed, `${task} means ${found.length} tasks of ${node}`, "Give more of the id");
  }
  return { node, uid: only.id, name: only.name };
}
