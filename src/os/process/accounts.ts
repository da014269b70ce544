// Unix accounts of this machine from any source (files, LDAP, SSSD). The system's own tools look them up under a time
// limit, since a directory service may hang.

import { readText } from "../files/files";
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

const LOGIN_DEFS = "/etc/login.defs";
const FIRST_PERSON_UID = 1_000;
/** The uids of `nobody` in 16 and 32 bits, and the ones that calls of the kernel read as "no uid". */
const NOBODY = new Set([65_534, 65_535, 0xffff_fffe, 0xffff_ffff]);

/** Returns the first uid of people on this machine: UID_MIN of login.defs(5). */
export function firstPersonUid(file = LOGIN_DEFS): number {
  const read = readText(file);
  const set = read.is === "there" ? /^[ \t]*UID_MIN[ \t]+(\d+)/m.exec(read.text)?.[1] : undefined;
  return set === undefined ? FIRST_PERSON_UID : Number(set);
}

/** Returns whether a uid is no person's: root's, one of the system's own accounts, or nobody's. */
export const isSystemUid = (uid: number, first = firstPersonUid()): boolean =>
  uid === 0 || uid < first || NOBODY.has(uid);

/**
 * Names that distributions give to accounts and groups of the system, or that mean root. No account is created under
 * such a name, since files and rules of the system may wait for it.
 */
const SYSTEM_NAMES = new Set(
  (
    "root toor daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody nogroup " +
    "adm tty disk kmem dialout fax voice cdrom floppy tape sudo wheel audio dip operator src shadow utmp video sasl " +
    "plugdev staff users input sgx kvm render crontab netdev messagebus sshd polkitd dbus avahi ntp chrony rpc " +
    "rpcuser nfsnobody statd tss halt shutdown ftp postfix mysql postgres redis nginx apache docker podman lxd " +
    "libvirt qemu systemd-network systemd-resolve systemd-timesync systemd-journal systemd-coredump systemd-oom " +
    "slurm munge etcd kube sssd orch"
  ).split(" "),
);

/** Returns whether the name belongs to the system wherever it exists, however its letters are written. */
export const isSystemName = (name: string): boolean => name.startsWith("_") || SYSTEM_NAMES.has(name.toLowerCase());

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
  if (isSystemName(name)) return `${name} is a name of the system's own`;
  const home =
    kind === "person"
      ? ["--create-home", "--shell", "/bin/bash"]
      : ["--no-create-home", "--shell", "/usr/sbin/nologin", "--home-dir", "/"];
  const argv = ["useradd", "--uid", String(uidHint(name)), "--user-group", ...home, "--", name];
  const made = await runCommand(argv, TIMEOUT_MS);
  if (made.is === "failed") return made.why;
  return made.code === 0 ? null : made.err.trim();
}
