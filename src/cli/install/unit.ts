// Units of systemd as text: how server and agent are started, and the settings that keep tasks alive while they
// restart.

import { SECOND_MS, type Ms } from "../../core/units";

export const PROGRAM = "/usr/local/bin/orch";

export interface UnitOptions {
  /** The words behind the program's name. */
  readonly argv: readonly string[];
  readonly data_dir: string;
  /** The account that the service runs as; null is root. */
  readonly user: string | null;
}

export interface AgentUnitOptions extends UnitOptions {
  /** The file that holds the join token until it has been used. */
  readonly token_file: string;
  /** How long the agent may take after SIGTERM to move its work away, or null if it does not move any. */
  readonly drain_ms: Ms | null;
}

/** Quotes one word of a command line as systemd.service(5) unquotes and expands it. */
export function unitWord(word: string): string {
  const text = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[\w@+=:,./%$-]+$/.test(text)) return text;
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\t", "\\t");
  return `"${escaped}"`;
}

const commandLine = (argv: readonly string[]): string => [PROGRAM, ...argv].map(unitWord).join(" ");
/** Escapes a path in a setting that takes one: `%` is expanded there, and nothing is unquoted. */
const unitPath = (path: string): string => path.replaceAll("%", "%%");

const HEAD = (what: "server" | "agent"): string[] => [
  `# Written by \`orch install ${what}\`, which writes it anew. Changes of your own: systemctl edit orch-${what}`,
  "[Unit]",
  `Description=orch ${what}`,
  "Wants=network-online.target",
  "After=network-online.target",
  "StartLimitIntervalSec=0",
];

const FOOT = ["", "[Install]", "WantedBy=multi-user.target", ""];

const userOf = (user: string | null): string[] => (user === null ? [] : [`User=${user}`]);

/** The account that a server gets if none is named. */
export const SERVER_USER = "orch";

/** The first port that needs no privilege. */
const FIRST_FREE_PORT = 1024;

export interface ServerUnitOptions extends UnitOptions {
  /** The port that the server answers on, or null for the one of its settings. */
  readonly port: number | null;
}

/**
 * Returns the server's unit. The server needs no right of root's: it writes its own directory, opens a port, and starts
 * no task. `MemoryDenyWriteExecute` is left out, since the runtime compiles code while it runs.
 */
export function serverUnit({ argv, data_dir, user, port }: ServerUnitOptions): string {
  const right = port !== null && port > 0 && port < FIRST_FREE_PORT ? "CAP_NET_BIND_SERVICE" : "";
  const isUnder = (...dirs: string[]): boolean => dirs.some((dir) => `${data_dir}/`.startsWith(dir));
  return [
    ...HEAD("server"),
    "",
    "[Service]",
    ...userOf(user),
    `ExecStart=${commandLine(argv)}`,
    "Restart=always",
    "RestartSec=1",
    "# Tasks go on without it, but nothing new begins: it is the last to go when memory runs out.",
    "OOMScoreAdjust=-500",
    "LimitNOFILE=1048576",
    "TimeoutStopSec=30",
    "# It writes below its own directory and nowhere else, and needs no right of root's.",
    "UMask=0077",
    `ReadWritePaths=${unitPath(data_dir)}`,
    `CapabilityBoundingSet=${right}`,
    `AmbientCapabilities=${right}`,
    ...SERVER_SANDBOX,
    // A right to a low port is none inside a user namespace.
    ...(right === "" ? ["PrivateUsers=yes"] : []),
    ...(isUnder("/home/", "/root/", "/run/user/") ? [] : ["ProtectHome=yes"]),
    ...(isUnder("/tmp/", "/var/tmp/") ? [] : ["PrivateTmp=yes"]),
    ...FOOT,
  ].join("\n");
}

const SERVER_SANDBOX = [
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "PrivateDevices=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "ProtectProc=invisible",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "RemoveIPC=yes",
  "KeyringMode=private",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallFilter=~@privileged @resources",
  "SystemCallErrorNumber=EPERM",
];

/** How much longer systemd waits than the service takes to move its work away. */
const STOP_MARGIN_MS = 30 * SECOND_MS;

export function agentUnit({ argv, data_dir, user, token_file, drain_ms }: AgentUnitOptions): string {
  return [
    ...HEAD("agent"),
    "# Once its node has left the cluster there is neither identity nor token, and nothing to start.",
    `ConditionPathExists=|${unitPath(data_dir)}/agent/identity.json`,
    `ConditionPathExists=|${unitPath(token_file)}`,
    "",
    "[Service]",
    ...userOf(user),
    `ExecStart=${commandLine(argv)}`,
    "Restart=always",
    "RestartSec=2",
    "# Stopping or restarting the agent stops no task: they and their keepers are not the service's to end.",
    "KillMode=process",
    "Delegate=yes",
    "TasksMax=infinity",
    "OOMScoreAdjust=-500",
    "LimitNOFILE=1048576",
    "# Cards and fast networks pin memory. A task's own limits are set at its start.",
    "LimitMEMLOCK=infinity",
    "# No sandbox: tasks are its children and would be in it, with what their accounts may do.",
    `TimeoutStopSec=${Math.ceil(((drain_ms ?? 0) + STOP_MARGIN_MS) / SECOND_MS)}`,
    ...FOOT,
  ].join("\n");
}
