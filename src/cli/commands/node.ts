// `orch node …`: what operators do with one machine.

import { readDuration } from "../../spec/grammar/units";
import { confirm, type Context } from "../context";
import type { NodeView } from "../../wire/api/nodes";
import type { TestsView } from "../../wire/node-tests";
import { command, flag, reading, text, type OutputShape } from "../frame/command";
import { readTasks } from "../follow/pages";
import { taskColumns, taskListing } from "../print/tasks";
import { waitForDrain } from "../follow/drain";
import { untilLeft } from "../follow/watching";
import type { Client } from "../../wire/client";
import { EXIT, UsageError } from "../failure";
import { clean } from "../print/clean";
import { complain } from "../print/complain";
import { nodeLines, orphanColumns, orphanRows, type NodePrint } from "../print/node";
import { historyColumns } from "../print/node-tests";

export const nodeShow = command({
  reads: true,
  operands: ["<NODE>"],
  options: { history: flag("--history", "its tests of before instead, newest first") },
  examples: [
    ["orch node show box1", "its facts, amounts, devices, and what its tests found"],
    ["orch node show box1 --history", "when it was tested, why, and what came of it"],
  ],
  async run(context, { args: [name = ""], flags, shape }) {
    const client = await context.client();
    if (flags.history) return showHistory(context, await client.nodeTests(name), shape);
    const node = await client.node(name);
    const { items: tasks } = await readTasks(client, { of: node.id });
    if (shape === "json") context.json({ ...node, tasks });
    else if (shape === "ids") context.print(node.id);
    else {
      for (const line of nodeLines(node, printOf(context))) context.print(line);
      if (tasks.length === 0) return EXIT.done;
      context.print("");
      context.table(taskColumns(context.now(), null, context.style), tasks, taskListing(false));
    }
    return EXIT.done;
  },
});

export const nodeOrphans = command({
  reads: true,
  operands: ["<NODE>"],
  examples: [["orch node orphans box1", "tasks there that no app has: whose they are, what they take, how they end"]],
  notes:
    "A task whose record is lost counts on its node: orch adopt or orch stop decides about it. A task of an agent\n" +
    "that was removed with its data directory is not counted; only a person on that machine ends it.",
  async run(context, { args: [name = ""], shape }) {
    const node = await (await context.client()).node(name);
    const rows = orphanRows(node);
    if (shape === "json") context.json({ orphans: node.orphans, foreign_tasks: node.foreign_tasks });
    else if (shape === "ids") for (const { pid } of rows) context.print(String(pid ?? ""));
    else if (rows.length === 0) context.note(noOrphans(node));
    else context.table(orphanColumns(context.now()), rows);
    return EXIT.done;
  },
});

/** Returns the words for a node without orphans. What a silent node has by now, nobody knows. */
const noOrphans = ({ name, state }: NodeView): string =>
  state === "unreachable" || state === "lost"
    ? `${name} is ${state}: what runs there by now is not known; orch node show ${name}`
    : `every task on ${name} has its record`;

function showHistory(context: Context, read: { readonly tests: TestsView[] }, shape: OutputShape): number {
  if (shape === "json") context.json(read);
  else if (shape === "ids") for (const { id } of read.tests) context.print(id);
  else if (read.tests.length === 0) context.note("it has not been tested yet");
  else context.table(historyColumns(context.now(), context.style), read.tests);
  return EXIT.done;
}

export const printOf = ({ now, style, host }: Context): NodePrint => ({
  now_ms: now(),
  style,
  width: host.out.columns,
});

export const nodeDrain = command({
  operands: ["<NODE...>"],
  options: {
    deadline: reading("--deadline <DURATION>", "stop what still runs then", readDuration),
    reason: text("--reason <TEXT>", "shown to whoever asks"),
    wait: flag("-w, --wait", "follow it until nothing runs there, and say what is left and why"),
  },
  examples: [
    ["orch node drain box1 --reason 'new power supply'", "services move away, jobs finish"],
    ["orch node drain box1 --deadline 1h --wait", "what still runs in an hour is stopped; jobs run again elsewhere"],
  ],
  notes:
    "A service's task stays until another node runs its successor; one that must never run twice is stopped once\n" +
    "another node has room for it. Daemons are stopped last. Said again, what is not said stays as it was.",
  async run(context, { args, flags }) {
    const client = await context.client();
    const deadline_ms = flags.deadline === null ? null : (await context.serverNow()) + flags.deadline;
    const drained: NodeView[] = [];
    const worst = await eachNode(context, args, async (name) => {
      const node = await client.drain(name, { deadline_ms, reason: flags.reason });
      drained.push(node);
      if (flags.wait) return;
      context.print(`${node.name}: ${node.state}`);
      if (node.state === "draining") context.note(`see what is left there: orch node drain ${node.name} --wait`);
    });
    // All are drained before the first is waited for.
    if (!flags.wait || drained.length === 0) return worst;
    const names = drained.map(({ name }) => name).join(" ");
    const goesOn = clean(
      `the drain goes on; see: orch node drain ${names} --wait; to end it: orch node resume ${names}`,
    );
    return Math.max(worst, await untilLeft(context, goesOn, waitForDrains(context, client, drained)));
  },
});

async function waitForDrains(context: Context, client: Client, drained: readonly NodeView[]): Promise<number> {
  let worst: number = EXIT.done;
  for (const { name } of drained) worst = Math.max(worst, await waitForDrain(context, client, name));
  return worst;
}

/** Asks for every node. One that refuses must not keep the others from it. */
export async function eachNode(
  { host }: Context,
  names: readonly string[],
  ask: (name: string) => Promise<void>,
): Promise<number> {
  let worst: number = EXIT.done;
  for (const name of names) {
    try {
      await ask(name);
    } catch (error) {
      worst = Math.max(worst, complain(error, host.err));
    }
  }
  return worst;
}

export const nodeResume = command({
  operands: ["<NODE...>"],
  options: {
    skipTests: flag("--skip-tests", "take a node that is tested or quarantined as it is; kept in the events"),
  },
  examples: [
    ["orch node resume box1", "takes work again; one that is quarantined is tested first"],
    ["orch node resume box1 box2", "several at once"],
    ["orch node resume box1 --skip-tests", "takes work whatever its tests say"],
  ],
  async run(context, { args, flags }) {
    const client = await context.client();
    return eachNode(context, args, async (name) => {
      const node = await client.resume(name, flags.skipTests);
      context.print(`${node.name}: ${node.state}`);
      if (node.testing === null) return;
      context.note(`its tests come first (${node.testing.why}): orch node show ${node.name} shows what comes of them`);
    });
  },
});

export const nodeForget = command({
  operands: ["<NODE...>"],
  options: {
    fenced: flag("--fenced", "I vouch that the machine is off: its tasks are lost, and run elsewhere"),
    revoke: flag("--revoke", "with --fenced: put it out although it is connected, and refuse its key from now on"),
    yes: flag("-y, --yes", "don't ask"),
  },
  examples: [
    ["orch node forget box1 --fenced", "a machine that will not come back; several at once: box1 box2"],
    ["orch node forget box1 --fenced --revoke", "a machine that is not to be trusted any more"],
  ],
  async run(context, { args, flags }) {
    if (flags.revoke && !flags.fenced) {
      throw new UsageError("--revoke goes with --fenced", "the tasks of a node that is put out count as lost");
    }
    const names = args.join(", ");
    const [are, their, them] = args.length === 1 ? ["Is", "Its", "it"] : ["Are", "Their", "them"];
    const asked = flags.fenced
      ? `${are} ${names} really off? ${their} tasks may run twice if not. Forget ${them}?`
      : `Forget ${names}?`;
    if (!flags.yes && !(await confirm(context, asked))) {
      return EXIT.failed;
    }
    const client = await context.client();
    return eachNode(context, args, async (name) => {
      await client.forget(name, { fenced: flags.fenced, revoke: flags.revoke });
      context.print(`${name}: forgotten`);
    });
  },
});

export const nodeApprove = command({
  operands: ["<NODE>"],
  options: { key: text("--key <KEY>", "only this key, as orch agent join printed it on the machine") },
  examples: [
    ["orch node approve box1", "lets it in"],
    ["orch node approve box1 --key 3f9ac01b22d4e5f6", "only if this key is the one that waits"],
  ],
  notes:
    "For a machine that joins with a token of --approve, and for one that joins again with another key, as after it\n" +
    "lost its data directory. Compare first: orch node show NODE tells the key and where it asks from.",
  async run(context, { args: [name = ""], flags }) {
    const client = await context.client();
    const { waiting } = await client.node(name);
    const node = await client.approve(name, { key: flags.key ?? waiting?.key ?? null });
    const from = waiting === null ? "" : `, key ${waiting.key} from ${waiting.hostname} (${waiting.address})`;
    context.print(clean(`${node.name}: approved${from}`));
    return EXIT.done;
  },
});

export const nodeRefuse = command({
  operands: ["<NODE>"],
  examples: [["orch node refuse box1", "turns away the key that waits to be box1"]],
  async run(context, { args: [name = ""] }) {
    await (await context.client()).refuse(name);
    context.print(`${clean(name)}: refused`);
    return EXIT.done;
  },
});
