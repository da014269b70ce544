// NVIDIA's Multi-Process Service: where its control daemon runs, tasks that share a card are kept to their memory by
// the driver itself. https://docs.nvidia.com/deploy/mps/

import { join } from "node:path";
import type { Promised } from "../../core/model/promised";
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

/** As much of its name as the kernel keeps. */
const COMMAND = "nvidia-cuda-mps";

/** The daemon that answers in this directory, or in the usual one; `null`: none runs there. */
export function findMps(pipe_dir: string | undefined): Mps | null {
  const dir = pipe_dir || DEFAULT_PIPE_DIR;
  if (!isTrusted(dir)) return null;
  const read = readText(join(dir, PID_FILE));
  if (read.is !== "there" || !exists(join(dir, "control"))) return null;
  const daemon = processFacts(Number(read.text.trim()));
  return daemon?.command === COMMAND ? { pipe_dir: dir } : null;
}

/** The usual directory is where anybody may make one: tasks are sent to nobody's daemon but root's and the agent's. */
function isTrusted(dir: string): boolean {
  const there = lookAt(dir);
  if (there === null || !there.isDirectory() || (there.mode & WRITABLE_BY_OTHERS) !== 0) return false;
  return there.uid === 0 || there.uid === accountOfProcess().uid;
}

/**
 * What a task with shares finds more in its environment. Cards are named by UUID, since the daemon may count them in
 * another order; limits are by their place among those that the task sees.
 */
export function mpsVariables(
  { pipe_dir }: Mps,
  promised: Promised["devices"],
  own: readonly Handle[],
): Record<string, string> {
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
