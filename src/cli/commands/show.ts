// `orch show`: everything about one thing, whatever it is: a run, a task, a workload, an app, a node, a card.

import { command } from "../frame/command";
import type { Context } from "../context";
import { EXIT, CliError } from "../failure";
import { readRef } from "../typed/names";
import { block } from "../print/block";
import { nodeLines } from "../print/node";
import type { NodeView } from "../../wire/api/nodes";
import { printOf } from "./node";
import { ApiError, type Client } from "../../wire/client";

type Named = { readonly id?: unknown; readonly run?: unknown; readonly name?: unknown };
type Document = Named & Readonly<Record<string, unknown>>;

export const show = command({
  reads: true,
  operands: ["<RUN|TASK|WORKLOAD|APP|NODE|GPU>"],
  examples: [
    ["orch show 123", "a run with its tasks"],
    ["orch show recs.api.0 --json", "a task"],
    ["orch show box1", "a node"],
    ["orch show GPU-5a0a2a31", "a card"],
  ],
  async run(context, { args: [typed = ""], shape }) {
    const document = await lookUp(context, await context.client(), typed);
    if (shape === "json") context.json(document);
    else if (shape === "ids") context.print(nameOf(document));
    else for (const line of linesOf(context, document)) context.print(line);
    return EXIT.done;
  },
});

function linesOf(context: Context, document: Document): string[] {
  // Only nodes have an agent.
  if (!("agent_version" in document)) return block(inWords(document), context.style);
  return nodeLines(document as unknown as NodeView, printOf(context));
}

/** A run without a time limit says so, where other keys without a value are left out. */
const inWords = (document: Document): Document =>
  document["time_limit_ms"] === null ? { ...document, time_limit_ms: "none" } : document;

function nameOf({ id, run, name }: Document): string {
  const found = [id, run, name].find((one) => typeof one === "string" || typeof one === "number");
  return found === undefined ? "" : String(found);
}

async function lookUp(context: Context, client: Client, typed: string): Promise<Document> {
  const ref = readRef(typed);
  switch (ref.kind) {
    case "run":
      return client.runInfo(ref.run);
    case "slot":
      return client.task(typed);
    case "id":
      return firstOf(typed, [() => client.task(typed), () => client.device(typed)]);
    case "workload":
      return client.workload(ref.project ?? (await client.me()).project, ref.app, ref.workload);
    case "word":
      return firstOf(typed, await wordsOf(client, ref.word, ref.project));
  }
}

/** Finds what a single word means: an app, a node, or the start of the id of a task or a card, in this order. */
async function wordsOf(client: Client, word: string, project: string | null): Promise<(() => Promise<Document>)[]> {
  const of = project ?? (await client.me()).project;
  return [() => client.app(of, word), () => client.node(word), () => client.task(word), () => client.device(word)];
}

async function firstOf(typed: string, tries: readonly (() => Promise<Document>)[]): Promise<Document> {
  for (const look of tries) {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "not_found") throw error;
    }
  }
  throw new CliError(EXIT.failed, `${typed}: no app, node, task or card of this name`, "See: orch ps, orch nodes");
}
