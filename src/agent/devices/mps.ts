// NVIDIA's Multi-Process Service (MPS). Where its control daemon runs, the driver itself keeps tasks that share a card
// to their memory. https://docs.nvidia.com/deploy/mps/

import { join } from "node:path";
import type { Promised } from "../../core/model/promised";
import type { Variables } from "../../core/model/variables";
import { MIB } from "../../core/units";
import { exists, lookAt, readText } from "../../os/files/files";
import { accountOfProcess } from "../../os/machine";
import { processFacts } from "../../os/process/process-facts";
import type { Handle } from "./device";

export interface Mps {
  readonly pipe_dir: string;
}

const DEFAULT_PIPE_DIR = "/tmp/nvidia-mps";
const WRITABLE_BY_OTHERS = 0o022;
const PID_FILE = "nvidia-cuda-mps-control.pid";

/** The daemon's name, cut to the length that the kernel keeps. */
const COMMAND = "nvidia-cuda-mps";

/**
 * Returns the daemon that answers in `pipe_dir` or, without one, in the usual directory. Returns null where none runs.
 */
export function findMps(pipe_dir: string | undefined): Mps | null {
  const dir = pipe_dir || DEFAULT_PIPE_DIR;
  if (!isTrusted(dir)) return null;
  const read = readText(join(dir, PID_FILE));
  if (read.is !== "there" || !exists(join(dir, "control"))) return null;
  const daemon = processFacts(Number(read.text.trim()));
  return daemon?.command === COMMAND ? { pipe_dir: dir } : null;
}

/**
 * Returns whether the directory belongs to root or to the agent's account. Anybody may create the usual directory, and
 * tasks must not be sent to a stranger's daemon.
 */
function isTrusted(dir: string): boolean {
  const there = lookAt(dir);
  if (there === null || !there.isDirectory() || (there.mode & WRITABLE_BY_OTHERS) !== 0) return false;
  return there.uid === 0 || there.uid === accountOfProcess().uid;
}

/**
 * Returns the further environment of a task with shares. Cards are named by UUID, since the daemon may count them in
 * another order. Limits are named by the card's position among those that the task sees.
 */
export function mpsVariables({ pipe_dir }: Mps, promised: Promised["devices"], own: readonly Handle[]): Variables {
  const nvidia = own.filter(({ vendor }) => vendor === "nvidia");
  const limits = nvidia.flatMap(({ id }, place) => {
    const bytes = promised.find((one) => one.id === id)?.bytes ?? null;
    return bytes === null ? [] : [`${place}=${Math.floor(bytes / MIB)}M`];
  });
  if (limits.length === 0) return {};
  return {
    CUDA_MPS_PIPE_DIRECTORY: pipe_dir,
    CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: limits.join(","),
    CUDA_VISIBLE_DEVICES: nvidia.map(({ id }) => id).join(","),
  };
}
