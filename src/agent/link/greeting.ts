// The start of a connection: the agent answers the server's challenge with a proof of its identity and its inventory,
// and is welcomed or refused.

import { sign } from "node:crypto";
import { greet, type Fence } from "../../core/agent/fence";
import { PROTOCOL, signedText } from "../../wire/agent";
import { noteOf } from "./leaving";
import type { ServerLink, ServerHandlers, Message } from "./link";
import { tellChanges } from "./machine";
import { inventoryPages, resultCounts, withinOneCommit } from "./pages";
import { flush, startBeating } from "./work";

export const GREETING: ServerHandlers<"challenge" | "more" | "welcome" | "refused"> = {
  challenge: answer,
  more: sendMore,
  welcome: begin,
  refused(link, message) {
    link.refusal = message;
    link.close();
  },
};

/** This is a function, since TypeScript would assume that the phase is still the one from before the await. */
const isOver = (link: ServerLink): boolean => link.phase === "over";

async function answer(link: ServerLink, challenge: Message<"challenge">): Promise<void> {
  const { loop, fence } = link.options;
  // The records that the last session is still writing belong to this inventory.
  await loop.quiet();
  // A connection that is over, or was greeted already, must not overwrite the fence of the current one.
  if (link.phase !== "dialling") return;
  const before = fence.get();
  const greeting = greet(before, challenge.stamp);
  if (greeting.is === "refused") {
    link.refusal = { type: "refused", code: "older_server", message: greeting.why, hint: null };
    // The hello tells the server that a newer one exists, so that it stops planning on an old copy.
    sayHello(link, challenge.nonce, before);
    link.close();
    return;
  }
  if (greeting.new_timeline) await loop.newTimeline();
  if (isOver(link)) return;
  await fence.set(greeting.fence, true);
  if (isOver(link)) return;
  sayHello(link, challenge.nonce, before);
  sendInventory(link);
  link.phase = "greeted";
}

function sayHello(link: ServerLink, nonce: string, before: Fence | null): void {
  const { credential, key, instance_id, pin, leaving, looker } = link.options;
  const machine = link.options.machine();
  link.told.machine = JSON.stringify(machine);
  link.told.leave = leaving();
  const note = noteOf(link, link.told.leave);
  const signed = signedText(nonce, credential.node_id, instance_id, machine.boot_id, pin);
  link.send({
    type: "hello",
    protocol: PROTOCOL,
    credential,
    instance_id,
    machine,
    signature: sign(null, Buffer.from(signed), key).toString("base64"),
    highest: before?.passed ?? null,
    // Null says that an agent on a fresh disk has applied nothing.
    applied: before === null ? null : { timeline: before.timeline, revision: before.revision, since: before.since },
    sets: true,
    log_lines: true,
    ...(note === null ? {} : { leaving: note }),
    ...(looker === null ? {} : { looks: true }),
  });
}

/** Takes the inventory and sends as many of its pages as the server lets come. */
function sendInventory(link: ServerLink): void {
  const { entries, unreadable } = link.options.loop.inventory();
  link.told.inventoried = entries.filter((entry) => "finished_age_ms" in entry.reported).map((entry) => entry.uid);
  link.told.results = resultCounts(entries);
  link.inventory.pages = inventoryPages(withinOneCommit(entries), unreadable);
  sendMore(link, { type: "more", pages: 0 });
}

function sendMore(link: ServerLink, { pages }: Message<"more">): void {
  const { inventory } = link;
  inventory.granted += pages;
  for (; inventory.granted > 0; inventory.granted--) {
    const page = inventory.pages.shift();
    if (page === undefined) return;
    link.send(page);
  }
}

async function begin(link: ServerLink, { name, findings, heartbeat_ms }: Message<"welcome">): Promise<void> {
  const { joined, health, tests, loop } = link.options;
  link.phase = "live";
  clearTimeout(link.patience);
  joined(name);
  health.override(findings);
  startBeating(link, heartbeat_ms);
  tests.connect((said) => link.send(said));
  loop.hasResults(link.told.results);
  await loop.acknowledged(link.told.inventoried);
  flush(link);
  tellChanges(link);
}
