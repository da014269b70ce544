// A made-up machine for tests of device probes: an empty tree into which a vendor's driver or tools are put, and from
// which they are removed while probes look.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Card, DeviceLook, ProbePlaces } from "../../../src/agent/devices/device";
import type { Vendor } from "../../../src/core/model/device";
import { makeScratch, removeScratch } from "../scratch";

/** What the contract suite needs of a vendor's machine. */
export interface Rig {
  readonly name: string;
  readonly vendor: Vendor;
  readonly places: ProbePlaces;
  /** Whether `places` name the library or tool, as a person does. */
  readonly named: boolean;
  /** Whether the probe does not ask again for what it has seen once. */
  readonly remembers: boolean;
  /** How many whole cards `fill` adds. */
  readonly cards: number;
  /** Adds cards, and whatever reports them. */
  fill(): void;
  /** Makes the library, tool or driver hang in every call. */
  hang(): void;
  /** Makes it answer with nonsense. */
  garble(): void;
  close(): Promise<void>;
}

/** A directory that serves as a machine's `/`. */
export class Site {
  private constructor(readonly root: string) {}

  static async make(): Promise<Site> {
    return new Site(makeScratch("devices"));
  }

  /** Writes files, by their path from the root, and makes their directories. */
  put(files: Readonly<Record<string, string | number>>): void {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${text}\n`);
    }
  }

  /** Writes a program that runs these lines of shell. */
  tool(name: string, script: string): string {
    const path = join(this.root, "tools", name);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  }

  /** Makes a link, as the kernel has many. `target` is a path from the root if it begins without a slash. */
  link(path: string, target: string): void {
    const at = join(this.root, path);
    mkdirSync(dirname(at), { recursive: true });
    rmSync(at, { force: true });
    symlinkSync(target.startsWith("/") ? target : join(this.root, target), at);
  }

  /** Makes a file on which a read hangs. */
  pipe(path: string): void {
    const at = join(this.root, path);
    rmSync(at, { force: true });
    const made = Bun.spawnSync(["mkfifo", at]);
    if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  }

  drop(...paths: readonly string[]): void {
    for (const path of paths) rmSync(join(this.root, path), { recursive: true, force: true });
  }

  /** Returns places without names: probes look in the usual places below the root. */
  places(over: Partial<ProbePlaces> = {}): ProbePlaces {
    return {
      root: this.root,
      nvml: null,
      nvidia_smi: null,
      amd_smi: null,
      rocm_smi: null,
      xpu_smi: null,
      system_profiler: null,
      ...over,
    };
  }

  async close(): Promise<void> {
    removeScratch(this.root);
  }
}

/** Returns the cards of a look that has seen them. */
export function cardsOf(look: DeviceLook): readonly Card[] {
  if (look.is !== "seen") throw new Error(`nothing was seen: ${JSON.stringify(look)}`);
  return look.cards;
}
