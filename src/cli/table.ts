// The table of commands: names, one line about each, and where its code is. Nothing is loaded until it is asked for.

import type { AnyCommand } from "./command";

export type Group = "parts" | "specs" | "jobs" | "look" | "nodes" | "access" | "care";

export const GROUPS: Readonly<Record<Group, string>> = {
  parts: "Run the parts",
  specs: "Apps",
  jobs: "Jobs",
  look: "Look",
  nodes: "Nodes",
  access: "Access",
  care: "Care",
};

export interface Entry {
  readonly name: string;
  readonly group: Group;
  readonly about: string;
  readonly load: () => Promise<AnyCommand>;
}

const entry = (group: Group, name: string, about: string, load: () => Promise<AnyCommand>): Entry => ({
  name,
  group,
  about,
  load,
});

export const TABLE: readonly Entry[] = [
  entry("parts", "up", "Run a server and an agent on this machine", async () => (await import("./commands/up")).up),
  entry("parts", "server", "Run the server alone", async () => (await import("./commands/server")).server),
  entry(
    "parts",
    "agent join",
    "Make this machine a node of a cluster",
    async () => (await import("./commands/agent-join")).agentJoin,
  ),
  entry(
    "parts",
    "agent leave",
    "Take this machine out of its cluster",
    async () => (await import("./commands/agent-leave")).agentLeave,
  ),
  entry("specs", "validate", "Check a spec file, offline", async () => (await import("./commands/validate")).validate),
  entry("specs", "plan", "Show what apply would do now", async () => (await import("./commands/plan")).plan),
  entry("specs", "apply", "Show the plan of a file, ask, do it", async () => (await import("./commands/apply")).apply),
  entry(
    "specs",
    "spec",
    "Print the spec of an app as it was applied",
    async () => (await import("./commands/spec")).spec,
  ),
  entry("specs", "scale", "Change the number of replicas", async () => (await import("./commands/scale")).scale),
  entry(
    "specs",
    "restart",
    "Replace the tasks of a workload",
    async () => (await import("./commands/restart")).restart,
  ),
  entry("specs", "rm", "Stop an app and forget it", async () => (await import("./commands/rm")).rm),
  entry(
    "jobs",
    "run",
    "Make a job, stream its output, give its exit code",
    async () => (await import("./commands/run")).run,
  ),
  entry("jobs", "cancel", "End runs", async () => (await import("./commands/cancel")).cancel),
  entry("jobs", "queue", "Show what waits, in order", async () => (await import("./commands/queue")).queue),
  entry("jobs", "runs", "List runs, newest first", async () => (await import("./commands/runs")).runs),
  entry("look", "ps", "List tasks", async () => (await import("./commands/ps")).ps),
  entry("look", "logs", "Print the output of tasks", async () => (await import("./commands/logs")).logs),
  entry(
    "look",
    "explain",
    "Show why something waits, or why it is where it is",
    async () => (await import("./commands/explain")).explain,
  ),
  entry("look", "events", "Show what happened", async () => (await import("./commands/events")).events),
  entry("look", "show", "Show everything about one thing", async () => (await import("./commands/show")).show),
  entry("nodes", "nodes", "List nodes", async () => (await import("./commands/nodes")).nodes),
  entry(
    "nodes",
    "gpus",
    "List cards: which is free, who is on the others",
    async () => (await import("./commands/gpus")).gpus,
  ),
  entry("nodes", "node show", "Show everything about a node", async () => (await import("./commands/node")).nodeShow),
  entry(
    "nodes",
    "node drain",
    "Give a node no more work, and move away what runs there",
    async () => (await import("./commands/node")).nodeDrain,
  ),
  entry(
    "nodes",
    "node test",
    "Have a node prove again that it is fit for work",
    async () => (await import("./commands/node-test")).nodeTest,
  ),
  entry("nodes", "node resume", "Give a node work again", async () => (await import("./commands/node")).nodeResume),
  entry("nodes", "node label", "Set or remove labels", async () => (await import("./commands/node")).nodeLabel),
  entry("nodes", "node taint", "Set or remove taints", async () => (await import("./commands/node")).nodeTaint),
  entry(
    "nodes",
    "node forget",
    "Forget a node that will not come back",
    async () => (await import("./commands/node")).nodeForget,
  ),
  entry(
    "nodes",
    "adopt",
    "Take on a task that only its node knows",
    async () => (await import("./commands/orphan")).adopt,
  ),
  entry("nodes", "stop", "End a task that only its node knows", async () => (await import("./commands/orphan")).stop),
  entry("access", "login", "Keep a token for a cluster", async () => (await import("./commands/login")).login),
  entry("access", "token new", "Make a token", async () => (await import("./commands/token")).tokenNew),
  entry("access", "token ls", "List tokens", async () => (await import("./commands/token")).tokenLs),
  entry(
    "access",
    "token revoke",
    "Refuse a token from now on",
    async () => (await import("./commands/token")).tokenRevoke,
  ),
  entry("access", "user add", "Add a person", async () => (await import("./commands/user")).userAdd),
  entry("access", "user ls", "List people", async () => (await import("./commands/user")).userLs),
  entry("access", "user rm", "Remove a person", async () => (await import("./commands/user")).userRm),
  entry(
    "care",
    "install server",
    "Make systemd run the server",
    async () => (await import("./commands/install")).installServer,
  ),
  entry(
    "care",
    "install agent",
    "Make systemd run this machine's agent",
    async () => (await import("./commands/install")).installAgent,
  ),
  entry(
    "care",
    "restore",
    "Put a backup of the database in place, server stopped",
    async () => (await import("./commands/restore")).restore,
  ),
  entry(
    "care",
    "completion",
    "Print completion for a shell",
    async () => (await import("./commands/completion")).completion,
  ),
  entry("care", "version", "Show which build this is", async () => (await import("./commands/version")).version),
];

/** Commands of the whole design that this build does not have yet. */
export const LATER: readonly string[] = [
  "submit",
  "edit",
  "history",
  "rollback",
  "promote",
  "top",
  "retry",
  "pull",
  "exec",
  "shell",
  "dev",
  "attach",
  "forward",
  "open",
  "pool set",
  "reserve",
  "secret set",
  "secret ls",
  "secret rm",
  "data push",
  "data ls",
  "volume ls",
  "volume snapshot",
  "volume restore",
  "quota set",
  "quota ls",
  "usage",
  "audit",
  "ca",
  "upgrade",
  "backup",
  "doctor",
];
