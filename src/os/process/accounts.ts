// Unix accounts of this machine from any source (files, LDAP, SSSD). The system's own tools look them up under a time
// limit, since a directory service may hang.

import { runCommand } from "./spawn";

export interface UnixAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export type AccountFound =
  | { readonly is: "there"; readonly account: UnixAccount }
  | { readonly is: "missing" }
  | { readonly is: "failed"; readonly why: string };

const TIMEOUT_MS = 5_000;
const NOT_FOUND = 2;
const NAME = /^[a-z_][a-z0-9_.-]{0,31}\$?$/i;

/** Looks an account up by its name. */
export async function findAccount(name: string): Promise<AccountFound> {
  return NAME.test(name) ? ask(name) : { is: "missing" };
}

/** Looks an account up by its number. */
export const findAccountOf = (uid: number): Promise<AccountFound> => ask(String(uid));

async function ask(key: string): Promise<AccountFound> {
  const asked = await runCommand(["getent", "passwd", key], TIMEOUT_MS);
  if (asked.is === "failed") return asked;
  if (asked.code === NOT_FOUND) return { is: "missing" };
  const account = parseAccount(asked.out);
  if (account === null) return { is: "failed", why: asked.err.trim() || `getent gave ${asked.code}` };
  return { is: "there", account };
}

/** Parses one line in the format of passwd(5). */
export function parseAccount(line: string): UnixAccount | null {
  const [name, , uid, gid, , home, shell] = line.split("\n")[0]?.split(":") ?? [];
  if (name === undefined || shell === undefined || !/^\d+$/.test(uid ?? "") || !/^\d+$/.test(gid ?? "")) return null;
  return {
    name,
    uid: Number(uid),
    gid: Number(gid),
    home: home === "" || home === undefined ? "/" : home,
    shell: shell === "" ? "/bin/sh" : shell,
  };
}

/** Returns the numbers of all groups of an account. */
export async function groupsOf(name: string): Promise<number[] | null> {
  const asked = await runCommand(["id", "-G", "--", name], TIMEOUT_MS);
  if (asked.is === "failed" || asked.code !== 0) return null;
  return asked.out.trim().split(/\s+/).map(Number);
}

/**
 * The uids of accounts that orch creates. They lie above those of systems and people, and below those that containers
 * map.
 */
const FIRST_UID = 66_000;
const UID_COUNT = 450_000;

/**
 * Returns the uid for an account that orch creates: a 32-bit FNV-1a hash of its name, so that it is the same on every
 * node.
 */
export function uidHint(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return FIRST_UID + (hash % UID_COUNT);
}

/** Creates an account, with a home directory if it is a person's. Returns why it failed, or null. */
export async function createAccount(name: string, kind: "person" | "tasks"): Promise<string | null> {
  if (!NAME.test(name)) return `${name} is no name for an account`;
  const home =
    kind === "person"
      ? ["--create-home", "--shell", "/bin/bash"]
      : ["--no-create-home", "--shell", "/usr/sbin/nologin", "--home-dir", "/"];
  const argv = ["useradd", "--uid", String(uidHint(name)), "--user-group", ...home, "--", name];
  const made = await runCommand(argv, TIMEOUT_MS);
  if (made.is === "failed") return made.why;
  return made.code === 0 ? null : made.err.trim();
}
