// What kind of file system a directory lies on, and how much room it has: a database on a network share gets corrupted.

import { existsSync, readFileSync, realpathSync, statfsSync } from "node:fs";
import { readFile, realpath, statfs } from "node:fs/promises";

/** `f_type` of network file systems on Linux, from statfs(2) and the kernel's magic.h. */
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

/** FUSE programs whose files lie on another machine, or in an object store. */
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

/** The name of the network file system that `dir` lies on, or `null` when it is a local one. */
export function networkFileSystem(dir: string): string | null {
  if (process.platform !== "linux") return null;
  const mounts = existsSync("/proc/self/mountinfo") ? readFileSync("/proc/self/mountinfo", "utf8") : "";
  return networkKind(statfsSync(dir).type, mounts, realpathSync(dir));
}

/** The same as a function of what the kernel says: the type's magic number, and the mounts for what FUSE hides. */
export function networkKind(magic: number, mounts: string, path: string): string | null {
  // The kernel's word is signed on some platforms.
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

/** The mount that `path` lies on, as mountinfo has it: the last of those whose mount point is the longest prefix. */
export function mountOf(mounts: string, path: string): Mount | null {
  let best: Mount | null = null;
  for (const line of mounts.split("\n")) {
    const [front, back] = line.split(" - ");
    // Blanks in a mount point are written in octal.
    const point = front?.split(" ")[4]?.replace(/\\(\d{3})/g, (_, code: string) => octal(code));
    const [type, , ofAll = ""] = back?.split(" ") ?? [];
    if (point === undefined || type === undefined) continue;
    const inside = point === "/" || path === point || path.startsWith(`${point}/`);
    const options = `${front?.split(" ")[5] ?? ""},${ofAll}`.split(",");
    if (inside && (best === null || point.length >= best.point.length)) best = { point, type, options };
  }
  return best;
}

const octal = (code: string): string => String.fromCharCode(Number.parseInt(code, 8));

/** Bytes that this user may still write on the file system of `dir`. */
export function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}

export interface FileSystem {
  /** `ext4`, `xfs`; `unknown` where the system does not tell. */
  readonly type: string;
  /** The kind of a network file system; `null`: it is a local one. */
  readonly network: string | null;
  readonly no_exec: boolean;
  readonly read_only: boolean;
  readonly free_bytes: number;
  /** How many more files it can hold; `null`: as many as there is room for. */
  readonly free_files: number | null;
}

/** What is known of the file system of a directory. It never blocks, though it may never answer. */
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
