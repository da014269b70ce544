// The whole environment of a task: what a login of its account has, what its spec and the server say, and what makes it
// see only its devices. Nothing of the agent's own environment is in it.

import type { Device } from "../core/device";
import type { Assignment } from "../core/record";
import type { UnixAccount } from "../os/accounts";

const PATHS = {
  root: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  people: "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
} as const;

const VISIBLE = { nvidia: "CUDA_VISIBLE_DEVICES", amd: "ROCR_VISIBLE_DEVICES", intel: "ZE_AFFINITY_MASK" } as const;

/** Later entries win: account, assignment, devices. A spec cannot make foreign devices visible. */
export function environmentOf(
  assignment: Assignment,
  account: UnixAccount,
  devices: readonly Device[],
): Record<string, string> {
  return {
    PATH: account.uid === 0 ? PATHS.root : PATHS.people,
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    SHELL: account.shell,
    LANG: "C.UTF-8",
    ...assignment.env,
    ...deviceVariables(
      assignment.promised.devices.map(({ id }) => id),
      devices,
    ),
  };
}

/** Indices count whole cards of a vendor in the order of the bus. */
export function deviceVariables(promised: readonly string[], devices: readonly Device[]): Record<string, string> {
  const seen = (vendor: Device["vendor"]): string => {
    const all = devices.filter((device) => device.vendor === vendor && device.parent === null);
    return promised.flatMap((id) => all.find((device) => device.id === id)?.index ?? []).join(",");
  };
  return {
    CUDA_DEVICE_ORDER: "PCI_BUS_ID",
    [VISIBLE.nvidia]: seen("nvidia"),
    [VISIBLE.amd]: seen("amd"),
    [VISIBLE.intel]: seen("intel"),
    ORCH_GPU_UUIDS: promised.join(","),
  };
}
