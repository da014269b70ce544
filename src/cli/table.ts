// The table of commands: names, one line about each, and where its code is. Nothing is loaded until it is asked for.

import type { AnyCommand } from "./command";

export type Group = "parts" | "specs" | "jobs" | "look" | "nodes" | "access" | "care";

export const GROUPS: Readonly<Record<Group, string>> = {
  parts: "Run the parts", specs: "Apps", jobs: "Jobs", look: "Look", nodes: "Nodes", access: "Access", care: "Care",
};

export interface Entry {
  readonly name: string;
  readonly group: Group;
  readonly about: string;
  readonly hidden?: true;
  load(): Promise<AnyCommand>;
}

const entry = (group: Group, name: string, about: string, load: () => Promise<AnyCommand>): Entry =>
  ({ name, group, about, load });

export const TABLE: readonly Entry[] = [
  entry("care", "version", "Show which build this is", async () => (await import("./commands/version")).version),
];

/** Commands of the whole design that this build does not have yet. */
export const LATER: readonly string[] = [
  "agent leave", "submit", "edit", "history", "rollback", "promote", "gpus", "top", "retry", "pull", "exec", "shell", "dev",
  "attach", "forward", "open", "node test", "pool set", "reserve", "secret set", "secret ls", "secret rm", "data push",
  "data ls", "volume ls", "volume snapshot", "volume restore", "quota set", "quota ls", "usage", "audit", "ca",
  "install server", "install agent", "upgrade", "backup", "doctor",
];
