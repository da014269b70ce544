// What this machine is, asked once a boot with the help of systeminformation and kept: its questions cost dozens of
// processes and megabytes, and the answers do not change.

import { arch, cpus, hostname, networkInterfaces, platform, release, totalmem } from "node:os";
import { statfs } from "node:fs/promises";
import { readJson, replaceFile } from "./files/files";
import { bootId } from "./proc";

/** What only a reboot can change. */
export interface Hardware {
  readonly cpu_model: string;
  /** What names the board: its UUID and serial number, where the system tells them. */
  readonly board: string;
}

export interface HostFacts extends Hardware {
  /** `linux`, `darwin`, `windows`; `amd64`, `arm64`. */
  readonly os: string;
  readonly arch: string;
  readonly hostname: string;
  readonly kernel: string;
  /** The address that others reach this machine under. */
  readonly address: string | null;
  readonly cores: number;
  readonly memory_bytes: number;
}

const OS: Readonly<Record<string, string>> = { win32: "windows" };
const ARCH: Readonly<Record<string, string>> = { x64: "amd64" };

/** Facts of this machine; what is costly is kept in the file `cache` until the next boot. */
export async function hostFacts(cache: string): Promise<HostFacts> {
  return {
    ...(await hardware(cache)),
    os: OS[platform()] ?? platform(),
    arch: ARCH[arch()] ?? arch(),
    hostname: hostname(),
    kernel: release(),
    address: firstAddress(),
    cores: cpus().length,
    memory_bytes: totalmem(),
  };
}

async function hardware(cache: string): Promise<Hardware> {
  const read = readJson(cache);
  const known = read.is === "there" ? (read.value as Partial<Hardware & { boot_id: string }> | null) : null;
  if (known?.boot_id === bootId() && typeof known.cpu_model === "string" && typeof known.board === "string") {
    return { cpu_model: known.cpu_model, board: known.board };
  }
  const { default: si } = await import("systeminformation");
  const [system, cpu] = await Promise.all([si.system(), si.cpu()]);
  const found: Hardware = {
    cpu_model: `${cpu.manufacturer} ${cpu.brand}`.trim(),
    board: `${system.uuid} ${system.serial}`,
  };
  await replaceFile(cache, `${JSON.stringify({ boot_id: bootId(), ...found })}\n`);
  return found;
}

/** The first address that is neither loopback nor link-local. */
function firstAddress(): string | null {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { internal, family, address } of addresses ?? []) {
      if (!internal && family === "IPv4" && !address.startsWith("169.254.")) return address;
    }
  }
  return null;
}

/** All memory of this machine, in bytes. */
export const machineMemory = (): number => totalmem();

/** Bytes that an account without privileges may still write below a directory. */
export async function roomIn(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
