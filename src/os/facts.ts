// Facts of this machine. The costly ones are found out once per boot by a child process and kept in a file. The child
// uses systeminformation, and the megabytes that this costs are freed when the child ends.

import { arch, cpus, hostname, platform, release, totalmem } from "node:os";
import { statfs } from "node:fs/promises";
import { machineAddresses } from "./addresses";
import { answerOf } from "./files/disk";
import { replaceFile } from "./files/durable";
import { readJson } from "./files/files";
import { fieldsOf, parsedJson } from "./files/json";
import { bootId } from "./proc";
import { runCommand } from "./process/spawn";
import { selfCommand } from "./self";

/** Facts that only a reboot can change. */
export interface Hardware {
  readonly cpu_model: string;
  /** An identity of the board: its UUID and serial number, where the system reports them. */
  readonly board: string;
}

export interface HostFacts extends Hardware {
  /** `linux`, `darwin` or `windows`; `arch` below is `amd64` or `arm64`. */
  readonly os: string;
  readonly arch: string;
  readonly hostname: string;
  readonly kernel: string;
  /** The address under which other machines reach this one. */
  readonly address: string | null;
  readonly cores: number;
  readonly memory_bytes: number;
}

const OS: Readonly<Record<string, string>> = { win32: "windows" };
const ARCH: Readonly<Record<string, string>> = { x64: "amd64" };

/** Returns the facts of this machine. The costly ones are kept in the file `cache` until the next boot. */
export async function hostFacts(cache: string): Promise<HostFacts> {
  return {
    ...(await hardware(cache)),
    os: OS[platform()] ?? platform(),
    arch: ARCH[arch()] ?? arch(),
    hostname: hostname(),
    kernel: release(),
    address: machineAddresses().find((address) => !address.includes(":")) ?? null,
    cores: cpus().length,
    memory_bytes: totalmem(),
  };
}

async function hardware(cache: string): Promise<Hardware> {
  const read = readJson(cache);
  const kept = read.is === "there" ? read.value : null;
  const known = fieldsOf(kept)["boot_id"] === bootId() ? hardwareIn(kept) : null;
  if (known !== null) return known;
  const asked = await runCommand([...selfCommand(), HARDWARE_COMMAND], ASK_MS);
  const found = asked.is === "done" ? hardwareIn(parsedJson(asked.out)) : null;
  if (found === null) {
    const why = asked.is === "failed" ? asked.why : asked.err.trim() || `exit ${asked.code}`;
    throw new Error(`the hardware of this machine could not be asked: ${why}`);
  }
  // Without the file, the next start asks again.
  await answerOf(replaceFile(cache, `${JSON.stringify({ boot_id: bootId(), ...found })}\n`));
  return found;
}

function hardwareIn(value: unknown): Hardware | null {
  const { cpu_model, board } = fieldsOf(value);
  return typeof cpu_model === "string" && typeof board === "string" ? { cpu_model, board } : null;
}

/** The command of this program that prints a `Hardware` as JSON and ends. */
export const HARDWARE_COMMAND = "hardware";
const ASK_MS = 60_000;

/** Returns the output of that command. This is costly, so it runs in a process of its own. */
export async function askHardware(): Promise<string> {
  const { default: si } = await import("systeminformation");
  const [system, cpu] = await Promise.all([si.system(), si.cpu()]);
  const found: Hardware = {
    cpu_model: `${cpu.manufacturer} ${cpu.brand}`.trim(),
    board: `${system.uuid} ${system.serial}`,
  };
  return `${JSON.stringify(found)}\n`;
}

/** Returns the memory of this machine in bytes. */
export const machineMemory = (): number => totalmem();

/** Returns how many bytes an unprivileged account may still write below a directory. */
export async function roomIn(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
