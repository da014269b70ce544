// A made-up machine for tests of device probes: an empty tree with what one vendor's driver or tools would show put
// into it, and taken out again, while probes look.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ProbePlaces } from "../../../src/agent/devices/device";
import type { Vendor } from "../../../src/core/model/device";

/** What the contract suite needs of a vendor's machine. */
export interface Rig {
  readonly name: string;
  readonly vendor: Vendor;
  readonly places: ProbePlaces;
  /** Whether `places` name the library or tool, as a person does. */
  readonly named: boolean;
  /** Whether what was seen once is not asked for again. */
  readonly remembers: boolean;
  /** How many whole cards `fill` puts in. */
  readonly cards: number;
  /** Cards are there, and what tells of them works. */
  fill(): void;
  /** The library, tool or driver does not come back from a call. */
  hang(): void;
  /** It answers with what makes no sense. */
  garble(): void;
  close(): Promise<void>;
}

/** A directory that is a machine's `/`. */
export class Site {
  private constructor(readonly root: string) {}

  static async make(): Promise<Site> {
    return new Site(await mkdtemp(join(tmpdir(), "orch-devices-")));
  }

  /** Puts files there, by path from the root; directories come with them. */
  put(files: Readonly<Record<string, string | number>>): void {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${text}\n`);
    }
  }

  /** A program that runs these lines of shell. */
  tool(name: string, script: string): string {
    const path = join(this.root, "tools", name);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  }

  /** A link, as the kernel has many; `target` is a path from the root when it begins without a slash. */
  link(path: string, target: string): void {
    const at = join(this.root, path);
    mkdirSync(dirname(at), { recursive: true });
    rmSync(at, { force: true });
    symlinkSync(target.startsWith("/") ? target : join(this.root, target), at);
  }

  /** A file that nobody answers for: to read it hangs. */
  pipe(path: string): void {
    const at = join(this.root, path);
    rmSync(at, { force: true });
    const made = Bun.spawnSync(["mkfifo", at]);
    if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  }

  drop(...paths: readonly string[]): void {
    for (const path of paths) rmSync(join(this.root, path), { recursive: true, force: true });
  }

  /** Nothing is named: probes look in the usual places below the root. */
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

  close(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }
}
