// NVIDIA's cards: NVML, asked by a child process that may hang, or nvidia-smi where NVML cannot be loaded. Known cards
// are kept, so that a card that falls off the bus is still shown, with its trouble.

import { join } from "node:path";
import { exists } from "../../../os/files/files";
import { createAsker, oneAtATime, type Asker } from "../asker";
import type { DeviceProbe, DeviceLook, LookLimits, ProbePlaces } from "../device";
import { keepKnown, type Known } from "./nvidia-known";
import { NvidiaSmi } from "./nvidia-smi";
import { CODE } from "./nvml";
import type { NvmlLook } from "./nvml-look";
import { isPlugged, treeAt, type Tree } from "../sysfs";

const LIBRARY = "libnvidia-ml.so.1";
const LIBRARY_DIRS = [
  "usr/lib/x86_64-linux-gnu",
  "usr/lib/aarch64-linux-gnu",
  "usr/lib64",
  "usr/lib",
  "usr/lib/x86_64-linux-gnu/nvidia/current",
  "usr/lib/aarch64-linux-gnu/nvidia/current",
  "usr/lib64/nvidia",
  "usr/lib/nvidia",
  "usr/lib/wsl/lib",
  "usr/local/nvidia/lib64",
  "usr/local/nvidia/lib",
  "run/opengl-driver/lib",
  "opt/nvidia/lib64",
];
const TOOLS = [
  "usr/bin/nvidia-smi",
  "usr/local/bin/nvidia-smi",
  "usr/lib/wsl/lib/nvidia-smi",
  "usr/local/nvidia/bin/nvidia-smi",
  "run/current-system/sw/bin/nvidia-smi",
  "opt/nvidia/bin/nvidia-smi",
];
/** Files that show that a driver is there. The last one belongs to Windows' driver, seen from within WSL. */
const DRIVER_SIGNS = ["proc/driver/nvidia/version", "dev/nvidiactl", "usr/lib/wsl/lib/libnvidia-ml.so.1"];
const NVIDIA = "0x10de";

const firstOf = (root: string, paths: readonly string[]): string | null =>
  paths.map((path) => join(root, path)).find((path) => exists(path)) ?? null;

/**
 * Returns whether there is anything to ask: a driver, or a library that a person has named. A library alone proves
 * nothing, since many images contain it.
 */
export function hasNvidia(places: ProbePlaces): boolean {
  const tree = treeAt(places.root);
  if (places.nvml !== null || places.nvidia_smi !== null || DRIVER_SIGNS.some((sign) => tree.has(sign))) return true;
  return libraryIn(places.root) !== null && isPlugged(tree, NVIDIA);
}

const libraryIn = (root: string): string | null =>
  firstOf(
    root,
    LIBRARY_DIRS.map((dir) => `${dir}/${LIBRARY}`),
  ) ?? firstOf(root, cachedLibraries(root));

/**
 * Returns the library's path in the linker's own list, for systems that put it elsewhere. Libraries for 32 bits are
 * left out.
 */
const cachedLibraries = (root: string): readonly string[] =>
  (treeAt(root).text("etc/ld.so.cache") ?? "")
    .split("\0")
    .filter((path) => path.startsWith("/") && path.endsWith(`/${LIBRARY}`) && !/i386|lib32/.test(path));

export function nvidiaProbe(places: ProbePlaces, limits: LookLimits): DeviceProbe {
  const tree = treeAt(places.root);
  let known: Known = new Map();
  let asked: { readonly library: string; readonly asker: Asker<NvmlLook> } | null = null;
  const smi = new NvidiaSmi(tree);
  let toolRan = false;

  function ask(library: string): Promise<NvmlLook | string> {
    if (asked?.library !== library) {
      asked?.asker.close();
      asked = { library, asker: createAsker<NvmlLook>("nvidia", library, limits) };
    }
    return asked.asker.ask();
  }

  async function lookOnce(): Promise<DeviceLook> {
    if (!hasNvidia(places)) return { is: "none" };
    const path = places.nvml ?? libraryIn(places.root);
    const found = path === null ? noLibrary : await ask(path);
    if (typeof found === "string") return { is: "failed", why: `NVML: ${found}` };
    if (found.is === "unloadable") return lookWithTool(found.why);
    if (found.is === "failed") {
      if (found.code === CODE.driver_not_loaded && !isPlugged(tree, NVIDIA)) return { is: "none" };
      // A library of another version than the driver is replaced only by loading it anew.
      if (found.code === CODE.version_mismatch) close();
      return { is: "failed", why: `NVML: ${found.why}` };
    }
    return seen(found);
  }

  async function lookWithTool(why: string): Promise<DeviceLook> {
    const tool = places.nvidia_smi ?? firstOf(places.root, TOOLS);
    if (tool === null) return { is: "failed", why: `NVML: ${why}, and there is no nvidia-smi` };
    const found = await smi.look(tool, toolRan ? limits.later_ms : limits.first_ms);
    toolRan = true;
    return typeof found === "string" ? { is: "failed", why: found } : seen(found);
  }

  function seen(found: Extract<NvmlLook, { is: "seen" }>): DeviceLook {
    const kept = keepKnown(known, found, tree);
    known = kept.known;
    return { is: "seen", cards: kept.cards, shared_files: sharedFiles(tree), unknown: kept.unknown };
  }

  const close = (): void => asked?.asker.close();
  return { vendor: "nvidia", look: oneAtATime(lookOnce), close };
}

const noLibrary: NvmlLook = { is: "unloadable", why: "the library is in none of its usual places" };

/** Returns the files that all cards share. The driver creates some of them only when a program first needs them. */
const sharedFiles = (tree: Tree): readonly string[] =>
  tree.has("dev/dxg")
    ? ["/dev/dxg"]
    : ["/dev/nvidiactl", "/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"];
