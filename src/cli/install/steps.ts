// An installation as a list of steps: printed by `--dry-run`, carried out otherwise, and reported with the way to undo
// it.

import { join } from "node:path";
import { exists, readText } from "../../os/files/files";
import { isForeign, putDir, putFile, putProgram, type FileOwner } from "../../os/install";
import { findAccount, parseAccount } from "../../os/process/accounts";
import { findCommand, runCommand } from "../../os/process/spawn";
import type { Context } from "../context";
import { CliError, EXIT } from "../failure";
import { PROGRAM } from "./unit";

/** `made`: a system account that is made if it is missing. `named`: one that must be there. */
export type ServiceAccount =
  | { readonly is: "root" }
  | { readonly is: "made"; readonly name: string }
  | { readonly is: "named"; readonly name: string; readonly owner: FileOwner };

export interface Installation {
  readonly what: "server" | "agent";
  /** The path of the binary that is to be installed. */
  readonly program: string;
  readonly unit: string;
  /** The service's own directory: `<data>/server` or `<data>/agent`. */
  readonly own_dir: string;
  /** The account that the service runs as, which gets its directory. */
  readonly account: ServiceAccount;
  /** A secret that the service reads from a file, or null. */
  readonly secret: { readonly path: string; readonly text: string } | null;
}

const UNIT_DIR = "/etc/systemd/system";
/** This directory exists where systemd runs (sd_booted(3)). */
const BOOTED = "/run/systemd/system";
const SYSTEMCTL_MS = 60_000;

export const unitName = ({ what }: Pick<Installation, "what">): string => `orch-${what}.service`;
const unitFile = (one: Pick<Installation, "what">): string => join(UNIT_DIR, unitName(one));

/** Returns what would be done, to be read or piped into files. */
export function dryLines(one: Installation): string[] {
  const { account, own_dir } = one;
  const whose = account.is === "root" ? "" : `, of ${account.name}`;
  const lines = [
    `# copy ${one.program} to ${PROGRAM} (0755)`,
    ...(account.is === "made" ? [`# unless ${account.name} is there: ${makeAccount(account.name, "").join(" ")}`] : []),
    `# make ${own_dir} (0700${whose})`,
  ];
  if (one.secret !== null) lines.push(`# write the token to ${one.secret.path} (0600)`);
  lines.push(`# write ${unitFile(one)}:`, "", ...one.unit.trimEnd().split("\n"), "");
  return [...lines, "# systemctl daemon-reload", `# systemctl enable --now ${unitName(one)}`];
}

/**
 * Carries the installation out. `root` is the prefix of every path that is written; it is empty outside of tests and
 * images.
 */
export async function install(context: Context, one: Installation, root: string): Promise<void> {
  const systemctl = systemctlOf(context, root);
  const name = unitName(one);
  const program = putProgram(one.program, `${root}${PROGRAM}`);
  context.print(`${PROGRAM}: ${SAID[program]}`);
  const owner = await ownerOf(context, one.account, root);
  const dir = `${root}${one.own_dir}`;
  // A service that ran as another account gives its files to the new one, and makes no more of them meanwhile.
  if (owner !== null && isForeign(dir, owner)) await run(systemctl, "stop", name);
  putDir(dir, owner);
  if (one.secret !== null) {
    putFile(`${root}${one.secret.path}`, `${one.secret.text}\n`, 0o600, owner);
    context.print(`${one.secret.path}: written, for its first start`);
  }
  const unit = putFile(`${root}${unitFile(one)}`, one.unit, 0o644, null);
  context.print(`${unitFile(one)}: ${SAID[unit]}`);
  await run(systemctl, "daemon-reload");
  await run(systemctl, "enable", "--now", name);
  // A running service is restarted only if its unit or program is new. Tasks go on meanwhile.
  const isNew = unit === "written";
  const changed = program !== "same" || unit !== "same";
  if (!isNew && changed) await run(systemctl, "restart", name);
  context.print(`${name}: ${isNew ? "enabled and started" : changed ? "started again" : "as it was"}`);
}

/** Returns the command that makes a service's account: without a home, a login, or a person behind it. */
const makeAccount = (name: string, root: string): string[] => [
  "useradd",
  ...(root === "" ? [] : ["--root", root]),
  "--system",
  "--user-group",
  "--no-create-home",
  "--home-dir",
  "/",
  "--shell",
  "/usr/sbin/nologin",
  name,
];

/** Returns an account of this machine, or of the image below `root`. */
async function accountIn(root: string, name: string): Promise<FileOwner | null> {
  if (root !== "") {
    const read = readText(`${root}/etc/passwd`);
    const lines = read.is === "there" ? read.text.split("\n") : [];
    return parseAccount(lines.find((line) => line.startsWith(`${name}:`)) ?? "");
  }
  const found = await findAccount(name);
  return found.is === "there" ? found.account : null;
}

async function ownerOf(context: Context, account: ServiceAccount, root: string): Promise<FileOwner | null> {
  if (account.is === "root") return null;
  if (account.is === "named") return account.owner;
  const { name } = account;
  const before = await accountIn(root, name);
  if (before !== null) return before;
  const made = await runCommand(makeAccount(name, root), SYSTEMCTL_MS);
  const owner = await accountIn(root, name);
  if (owner !== null) {
    context.print(`${name}: made, an account of the system`);
    return owner;
  }
  const why = made.is === "failed" ? made.why : made.err.trim() || "it is still not there";
  throw new CliError(EXIT.failed, `the account ${name} could not be made: ${why}`, "Name another one: --user ACCOUNT");
}

const SAID = { written: "written", replaced: "replaced", same: "as it was" } as const;

/** Returns how to call systemctl. Refuses before anything is written. */
function systemctlOf({ host }: Context, root: string): string {
  if (host.uid !== 0) {
    throw new CliError(EXIT.denied, "only root installs a service", "Say it with sudo, or look first: --dry-run");
  }
  const found = findCommand("systemctl", host.env["PATH"] ?? "", "/");
  if (found === null || !exists(`${root}${BOOTED}`)) {
    throw new CliError(
      EXIT.failed,
      "this machine is not run by systemd",
      "--dry-run shows the unit; start `orch server` or `orch agent join` by what runs services here",
    );
  }
  return found;
}

async function run(systemctl: string, ...args: string[]): Promise<void> {
  const done = await runCommand([systemctl, ...args], SYSTEMCTL_MS);
  const why = done.is === "failed" ? done.why : done.code === 0 ? null : done.err.trim() || `exit code ${done.code}`;
  if (why !== null) throw new CliError(EXIT.failed, `systemctl ${args.join(" ")}: ${why}`, "See: journalctl -xe");
}

/** Returns the commands that undo the installation. */
export function undoLines(one: Installation): string[] {
  const first = one.what === "agent" ? ["orch agent leave"] : [];
  return [
    "to undo it:",
    ...[...first, `systemctl disable --now ${unitName(one)}`, `rm ${unitFile(one)} ${PROGRAM}`].map(
      (line) => `  ${line}`,
    ),
    `  its data stays in ${one.own_dir}`,
  ];
}
