// The kind of the file system of a directory, and its free space. A database on a network file system gets corrupted.

import { existsSync, readFileSync, realpathSync, statfsSync } from "node:fs";
import { readFile, realpath, statfs } from "node:fs/promises";

/** Values of `f_type` of network file systems on Linux, from statfs(2) and the kernel's magic.h. */
const NETWORK_MAGIC: Readonly<Record<number, string>> = {
  0x6969: "nfs",
  0x517b: "smb",
  0xff534d42: "cifs",
  0xfe534d42: "smb2",
  0x01021997: "9p",
  0x5346414f: "afs",
  0x00c36400: "ceph",
  0x73757245: "coda",
  0x0bd00bd0: "lustre",
  0x47504653: "gpfs",
  0x19830326: "beegfs",
  0x7461636f: "ocfs2",
  0x01161970: "gfs2",
  0x786f4256: "vboxsf",
  0x20030528: "orangefs",
  0x6b414653: "afs",
};
const FUSE_MAGIC = 0x65735546;

/** FUSE programs whose files are on another machine, or in an object store. */
const NETWORK_FUSE = new Set(
  [
    "sshfs",
    "s3fs",
    "s3backer",
    "glusterfs",
    "rclone",
    "gcsfuse",
    "goofys",
    "geesefs",
    "mountpoint-s3",
    "ceph",
    "ceph-fuse",
    "davfs",
    "davfs2",
    "juicefs",
    "curlftpfs",
    "smbnetfs",
    "afpfs",
    "mfs",
    "moosefs",
    "lizardfs",
    "seaweedfs",
    "blobfuse",
    "blobfuse2",
    "nfs",
    "gvfsd-fuse",
    "portal",
  ].map((name) => `fuse.${name}`),
);

/** Returns the name of the network file system that holds `dir`, or null if the file system is local. */
export function networkFileSystem(dir: string): string | null {
  if (process.platform !== "linux") return null;
  const mounts = existsSync("/proc/self/mountinfo") ? readFileSync("/proc/self/mountinfo", "utf8") : "";
  return networkKind(statfsSync(dir).type, mounts, realpathSync(dir));
}

/**
 * Returns the network file system of `path` from two reports of the kernel: the type's magic number, and the mounts,
 * which name the program behind FUSE.
 */
export function networkKind(magic: number, mounts: string, path: string): string | null {
  // The kernel's number is signed on some platforms.
  const type = magic >>> 0;
  if (type !== FUSE_MAGIC) return NETWORK_MAGIC[type] ?? null;
  const kind = mountType(mounts, path);
  return kind !== null && NETWORK_FUSE.has(kind) ? kind : null;
}

interface Mount {
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

const mountType = (mounts: string, path: string): string | null => mountOf(mounts, path)?.type ?? null;

/** Returns the mount that holds `path`: the last one of those with the longest mount point that is a prefix. */
export function mountOf(mounts: string, path: string): Mount | null {
  let best: Mount | null = null;
  for (const mount of mountsIn(mounts)) {
    const { point } = mount;
    const inside = point === "/" || path === point || path.startsWith(`${point}/`);
    if (inside && (best === null || point.length >= best.point.length)) best = mount;
  }
  return best;
}

/** Parses the kernel's list of mounts. */
export function mountsIn(mounts: string): Mount[] {
  return mounts.split("\n").flatMap((line) => {
    const [front, back] = line.split(" - ");
    // Blanks in a mount point are written in octal.
    const point = front?.split(" ")[4]?.replace(/\\(\d{3})/g, (_, code: string) => octal(code));
    const [type, , ofAll = ""] = back?.split(" ") ?? [];
    if (point === undefined || type === undefined) return [];
    return [{ point, type, options: `${front?.split(" ")[5] ?? ""},${ofAll}`.split(",") }];
  });
}

const octal = (code: string): string => String.fromCharCode(Number.parseInt(code, 8));

/** Returns how many bytes this user may still write on the file system of `dir`. */
export function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}

/** Returns how many bytes the file system of `dir` has, used or not. */
export function allBytes(dir: string): number {
  const { blocks, bsize } = statfsSync(dir);
  return blocks * bsize;
}

export interface FileSystem {
  /** Such as `ext4` or `xfs`; `unknown` where the system does not report it. */
  readonly type: string;
  /** The kind of network file system, or null if it is local. */
  readonly network: string | null;
  readonly no_exec: boolean;
  readonly read_only: boolean;
  readonly free_bytes: number;
  /** How many more files fit; null if only space limits them. */
  readonly free_files: number | null;
}

/** Returns what is known of the file system of a directory. It never blocks the caller, and may never resolve. */
export async function lookAtFileSystem(dir: string): Promise<FileSystem> {
  const [{ type: magic, bavail, bsize, files, ffree }, path] = await Promise.all([statfs(dir), realpath(dir)]);
  const linux = process.platform === "linux";
  const mounts = linux ? await readFile("/proc/self/mountinfo", "utf8") : "";
  const mount = mountOf(mounts, path);
  return {
    type: mount?.type ?? "unknown",
    network: linux ? networkKind(magic, mounts, path) : null,
    no_exec: mount?.options.includes("noexec") === true,
    read_only: mount?.options.includes("ro") === true,
    free_bytes: bavail * bsize,
    free_files: files === 0 ? null : ffree,
  };
}
