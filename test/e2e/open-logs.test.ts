// A log that is followed ends within 10 s when whoever follows it may not any more: the token was revoked, or the user
// was removed, or comes back with less. Others follow on.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "../support/cluster";
import { waitUntil } from "../support/wait";

/** docs/security.md promises it. */
const ENDS_WITHIN_MS = 10_000;
/** What a busy machine may add. */
const SLACK_MS = 3_000;

interface Following {
  text: string;
  ended_at_ms: number | null;
}

let cluster: Cluster;
let ca = "";
beforeAll(async () => {
  cluster = await Cluster.start({ name: "open-logs", agents: ["n1"] });
  ca = readFileSync(join(cluster.data, "server", "certificate.pem"), "utf8");
  const run = "while :; do echo tick; sleep 0.2; done";
  const text = `app: web\nproject: lab\nservices:\n  api: { run: "${run}", resources: { cpu: 10m, memory: 8MiB } }\n`;
  expect(await cluster.apply(text)).toMatchObject({ code: 0 });
  await cluster.until("the service to run", (tasks) => tasks.some(({ state }) => state === "running"));
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

/** Follows the service's log with a token, until the server ends it. */
async function follow(token: string): Promise<Following> {
  const following: Following = { text: "", ended_at_ms: null };
  const answer = await fetch(`${cluster.url}/v1/tasks/web.api.0/logs?follow=true`, {
    headers: { authorization: `Bearer ${token}` },
    tls: { ca, rejectUnauthorized: true, serverName: "orch-server" },
  } as RequestInit);
  if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
  void (async () => {
    try {
      for await (const part of answer.body ?? []) following.text += new TextDecoder().decode(part);
    } catch (error) {
      following.text += `ended: ${String(error)}`;
    }
    following.ended_at_ms = performance.now();
  })();
  await waitUntil("the log to be followed", () => following.text.includes("tick"));
  return following;
}

async function endsAfter(following: Following, change: () => Promise<unknown>): Promise<void> {
  const other = await follow(adminToken());
  await change();
  const from_ms = performance.now();
  const ended_ms = await waitUntil("the log to end", () => following.ended_at_ms, ENDS_WITHIN_MS + SLACK_MS);
  expect(ended_ms - from_ms).toBeLessThan(ENDS_WITHIN_MS + SLACK_MS);
  const length = other.text.length;
  await waitUntil("the admin's log to go on", () => other.text.length > length);
  expect(other.ended_at_ms).toBeNull();
}

const adminToken = (): string => readFileSync(join(cluster.data, "server", "admin.token"), "utf8").trim();
const added = async (...args: string[]): Promise<string> =>
  (await cluster.json<{ token: string }>("user", "add", ...args)).token;

test("a log ends when the token is revoked that follows it", async () => {
  const { token, id } = await cluster.json<{ token: string; id: string }>("token", "new", "--role", "operator");
  await endsAfter(await follow(token), () => cluster.ok("token", "revoke", id));
}, 60_000);

test("a log ends when the user is removed who follows it", async () => {
  const token = await added("bob", "--project", "lab");
  await endsAfter(await follow(token), () => cluster.ok("user", "rm", "bob"));
}, 60_000);

test("a log ends when the user comes back who follows it and may only see states", async () => {
  const token = await added("carol", "--project", "lab", "--role", "operator");
  await endsAfter(await follow(token), async () => {
    await cluster.ok("user", "rm", "carol");
    await added("carol", "--project", "lab", "--role", "viewer", "--again");
  });
}, 60_000);
