// Denies device files to the processes of a control group: by the list of the `devices` controller (version 1), or by a
// small program that the kernel runs whenever a device file is opened (version 2).

import { closeSync, openSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addressOf, bpf } from "./libc";

/** A character device. The kernel knows a device file by this number, whatever its path. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** Returns the number of a device file, or null if there is none at this path. */
export function deviceNumber(path: string): DeviceNumber | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isCharacterDevice()) return null;
  const { rdev } = stats;
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}

/** Version 1: denies devices one by one, since everything is allowed at first. Throws when the kernel refuses. */
export function denyByList(dir: string, denied: readonly DeviceNumber[]): void {
  for (const { major, minor } of denied) writeFileSync(join(dir, "devices.deny"), `c ${major}:${minor} rwm`);
}

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const PROG_TYPE_CGROUP_DEVICE = 15;
const ATTACH_CGROUP_DEVICE = 6;
/** The kernel also runs the programs of groups above and below, and all of them must allow the access. */
const ALLOW_MULTI = 2;
const ATTRIBUTES_BYTES = 128;
const CHARACTER = 2;

/** Instructions of the kernel's virtual machine, from linux/bpf.h. */
const LOAD = 0x61;
const AND = 0x57;
const MOVE = 0xb7;
const EXIT = 0x95;
const JUMP_EQUAL = 0x15;
const JUMP_NOT_EQUAL = 0x55;

function instruction(code: number, register: number, from: number, offset: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(code, 0);
  bytes.writeUInt8(register | (from << 4), 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(value, 4);
  return bytes;
}

/**
 * Returns a program that allows everything except these devices. Its input is { access << 16 | type, major, minor }; it
 * returns 1 (allow) or 0 (deny with EPERM). Registers: 2 type, 4 major, 5 minor, 0 the result.
 */
function program(denied: readonly DeviceNumber[]): Buffer {
  const tests = denied.length * 2;
  return Buffer.concat([
    instruction(LOAD, 2, 1, 0, 0),
    instruction(AND, 2, 0, 0, 0xffff),
    instruction(LOAD, 4, 1, 4, 0),
    instruction(LOAD, 5, 1, 8, 0),
    instruction(JUMP_NOT_EQUAL, 2, 0, tests, CHARACTER),
    ...denied.flatMap(({ major, minor }, i) => [
      instruction(JUMP_NOT_EQUAL, 4, 0, 1, major),
      instruction(JUMP_EQUAL, 5, 0, tests - 2 * i, minor),
    ]),
    instruction(MOVE, 0, 0, 0, 1),
    instruction(EXIT, 0, 0, 0, 0),
    instruction(MOVE, 0, 0, 0, 0),
    instruction(EXIT, 0, 0, 0, 0),
  ]);
}

/** Version 2: attaches the program to the group; it is removed with the group. Throws when the kernel refuses. */
export function denyByProgram(dir: string, denied: readonly DeviceNumber[]): void {
  const code = program(denied);
  const license = Buffer.from("Apache-2.0\0");
  const load = Buffer.alloc(ATTRIBUTES_BYTES);
  load.writeUInt32LE(PROG_TYPE_CGROUP_DEVICE, 0);
  load.writeUInt32LE(code.length / 8, 4);
  load.writeBigUInt64LE(addressOf(code), 8);
  load.writeBigUInt64LE(addressOf(license), 16);
  const loaded = bpf(BPF_PROG_LOAD, load);
  if (typeof loaded === "string") throw new Error(`the program that keeps devices away was refused: ${loaded}`);
  const group = openSync(dir, "r");
  try {
    const attach = Buffer.alloc(ATTRIBUTES_BYTES);
    [group, loaded, ATTACH_CGROUP_DEVICE, ALLOW_MULTI].forEach((value, i) => attach.writeUInt32LE(value, 4 * i));
    const attached = bpf(BPF_PROG_ATTACH, attach);
    if (typeof attached === "string") throw new Error(`devices could not be kept from ${dir}: ${attached}`);
  } finally {
    closeSync(group);
    closeSync(loaded);
  }
}
