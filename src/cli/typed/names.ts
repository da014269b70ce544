// The names that users type. The server says what each means (`client.name`), so that all commands resolve names alike.

import type { NameKind } from "../../wire/api/names";
import { ApiError, type Client } from "../../wire/client";

/** A workload with its app and project, as addresses of the API name it. */
export interface WorkloadNamed {
  readonly project: string;
  readonly app: string;
  readonly workload: string;
}

/** A thing of another project is meant only where its project is written, since the commands change what they find. */
const OWN = { own: true } as const;

/** Finds an app that a command is about to change. */
export async function ownApp(client: Client, typed: string): Promise<Omit<WorkloadNamed, "workload">> {
  const { project, app } = await client.name(typed, { kinds: ["app"], ...OWN });
  return { project: known(project), app: known(app) };
}

/** Finds a workload that a command is about to change. */
export async function ownWorkload(client: Client, typed: string): Promise<WorkloadNamed> {
  return workloadIn(await client.name(typed, { kinds: ["workload"], ...OWN }));
}

export const workloadIn = (found: {
  readonly project: string | null;
  readonly app: string | null;
  readonly workload: string | null;
}): WorkloadNamed => ({ project: known(found.project), app: known(found.app), workload: known(found.workload) });

/**
 * Returns the name of the person who is called so, or who has this Unix account and nobody is called so; only operators
 * see accounts. Whoever was removed still has runs. Throws ApiError for a name that nobody has or had.
 */
export async function userNamed(client: Client, typed: string | null): Promise<string | null> {
  if (typed === null) return null;
  const users = await usersSeen(client);
  if (users.some(({ name }) => name === typed)) return typed;
  const [owner, other] = users.filter(({ unix_user }) => unix_user === typed);
  if (owner !== undefined && other === undefined) return owner.name;
  await client.runs({ all: true, user: typed, limit: 1 });
  return typed;
}

async function usersSeen(client: Client): Promise<Awaited<ReturnType<Client["users"]>>["users"]> {
  try {
    return (await client.users()).users;
  } catch (error) {
    if (error instanceof ApiError && error.code === "forbidden") return [];
    throw error;
  }
}

function known(text: string | null): string {
  if (text === null) throw new Error("the server's answer lacks a part of the name");
  return text;
}

/** The kinds that a command takes where it takes tasks and what has them. */
export const WITH_TASKS: readonly NameKind[] = ["task", "workload", "run"];
