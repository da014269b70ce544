// `orch show`: everything about one thing, whatever it is: a run, a task, a workload, an app, a node, a card.

import { command, flag, type OutputShape } from "../frame/command";
import type { Context } from "../context";
import { CliError, EXIT, UsageError } from "../failure";
import { earlierHint, elementName, isElementOver, sayEarlier, sayRunOver } from "../../core/why/over";
import { elementNow } from "../follow/element";
import { readPages } from "../follow/pages";
import { workloadIn } from "../typed/names";
import { block } from "../print/block";
import { type ElementDetail, elementLines, type EndedAlike, endedAlike } from "../print/elements";
import { nodeLines } from "../print/node";
import { runLines } from "../print/run";
import { appLines, workloadLines } from "../print/workload";
import type { AppDetail, WorkloadDetail } from "../../wire/api/apps";
import type { RunDetail } from "../../wire/api/runs";
import type { NameView } from "../../wire/api/names";
import type { NodeView } from "../../wire/api/nodes";
import { printOf } from "./node";
import type { Client } from "../../wire/client";

type Named = { readonly id?: unknown; readonly run?: unknown; readonly name?: unknown };
type ShownRun = RunDetail & { readonly failed_elements?: readonly EndedAlike[] };
type Document = Named & Readonly<Record<string, unknown>>;

export const show = command({
  reads: true,
  operands: ["<RUN|TASK|WORKLOAD|APP|NODE|GPU>"],
  options: { values: flag("--values", "of a run or workload: its environment variables with their values") },
  examples: [
    ["orch show 123", "a run with its tasks"],
    ["orch show recs.api.0 --json", "a task"],
    ["orch show 123_7", "what became of one element of an array"],
    ["orch show box1", "a node"],
    ["orch show GPU-5a0a2a31", "a card"],
  ],
  async run(context, { args: [typed = ""], flags: { values }, shape }) {
    const document = await lookUp(await context.client(), typed, values, shape);
    if (shape === "json") context.json(document);
    else if (shape === "ids") context.print(nameOf(document));
    else for (const line of await linesOf(context, document)) context.print(line);
    return EXIT.done;
  },
});

async function linesOf(context: Context, document: Document): Promise<string[]> {
  // Only nodes have an agent.
  if ("agent_version" in document) return nodeLines(document as unknown as NodeView, printOf(context));
  // Only runs have waited.
  if ("waited_ms" in document) {
    const { failed_elements = [], ...run } = document as unknown as ShownRun;
    return runLines(run, printOf(context), failed_elements);
  }
  // Only elements count their attempts.
  if ("attempts" in document) return elementLines(document as unknown as ElementDetail, printOf(context));
  if ("settings" in document) return workloadLines(document as unknown as WorkloadDetail, printOf(context));
  if ("revision" in document) return appLines(document as unknown as AppDetail, printOf(context));
  return block(document, context.style, context.host.out.columns);
}

function nameOf({ id, run, name, ...document }: Document): string {
  const isElement = "attempts" in document;
  // The number of a run means all of its elements.
  const found = [id, ...(isElement ? [name] : [run, name])].find(
    (one) => typeof one === "string" || typeof one === "number",
  );
  return found === undefined ? "" : String(found);
}

async function element(client: Client, { name, run, slot, attempt }: NameView): Promise<Document> {
  const of = { name, run: run ?? 0, slot: slot ?? 0 };
  const { view, task } = await elementNow(client, of);
  const whole = elementName(name);
  const had = view?.attempts ?? null;
  const earlier =
    view === undefined || attempt === null || had === null
      ? null
      : sayEarlier(whole, attempt, had, isElementOver(view));
  if (attempt !== null && earlier !== null) throw new CliError(EXIT.failed, earlier, earlierHint(whole, attempt));
  const why = view?.state === "cancelled" ? sayRunOver(await client.runInfo(of.run)) : null;
  return { name, run, ...view, why, task };
}

/** The most elements that are read for a person, who is not shown more. JSON names all of them. */
const READ_FOR_TEXT = 5_000;

/** Returns a run, of an array with the elements that have not succeeded. */
async function runOf(client: Client, run: number | string, query: Query, shape: OutputShape): Promise<Document> {
  const detail = await client.runInfo(run, query);
  const { array } = detail;
  if (array === null || shape === "ids") return detail;
  const { items } = await readPages(
    async (page) => {
      if (array.failed + array.unknown + array.stopped === 0) return { items: [], next: null };
      const { elements, next } = await client.elements(detail.run, { state: "failed", ...page });
      return { items: elements, next };
    },
    shape === "json" ? {} : { most: READ_FOR_TEXT },
  );
  return { ...detail, failed_elements: endedAlike(items, array.elements) };
}

interface Query {
  readonly values?: boolean;
}

async function lookUp(client: Client, typed: string, values: boolean, shape: OutputShape): Promise<Document> {
  const found = await client.name(typed);
  if (values && found.kind !== "run" && found.kind !== "workload")
    throw new UsageError(`--values: ${typed} is a ${found.kind}; runs and workloads have variables`);
  switch (found.kind) {
    case "run":
      return runOf(client, found.run ?? typed, values ? { values } : {}, shape);
    case "task":
      return found.array && found.task_id === null ? element(client, found) : client.task(found.name);
    case "workload": {
      const { project, app, workload } = workloadIn(found);
      return client.workload(project, app, workload, values);
    }
    case "app":
      return client.app(found.project ?? "", found.app ?? "");
    case "node":
      return client.node(found.name);
    case "card":
      return client.device(found.name);
  }
}
