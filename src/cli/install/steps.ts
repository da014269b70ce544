// An installation as a list of steps: printed by `--dry-run`, carried out otherwise, and reported with the way to undo
// it.

import { join } from "node:path";
import { exists } from "../../os/files/files";
import { putDir, putFile, putProgram, type FileOwner } from "../../os/install";
import { findCommand, runCommand } from "../../os/process/spawn";
import type { Context } from "../context";
import { CliError, EXIT } from "../failure";
import { PROGRAM } from "./unit";

export interface Installation {
  readonly what: "server" | "agent";
  /** The path of the binary that is to be installed. */
  readonly program: string;
  readonly unit: string;
  /** The service's own directory: `<data>/server` or `<data>/agent`. */
  readonly own_dir: string;
  readonly owner: FileOwner | null;
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
  const lines = [`# copy ${one.program} to ${PROGRAM} (0755)`, `# make ${one.own_dir} (0700)`];
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
  putDir(`${root}${one.own_dir}`, one.owner);
  if (one.secret !== null) {
    putFile(`${root}${one.secret.path}`, `${one.secret.text}\n`, 0o600, one.owner);
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
