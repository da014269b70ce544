// Gives a task access to the cards that it was promised and to no others: the environment variables that name its
// cards, and the device files that it may not open.

import type { Vendor } from "../../core/model/device";
import type { Promised } from "../../core/model/promised";
import type { Variables } from "../../core/model/variables";
import { deviceNumber, type DeviceNumber } from "../../os/device-deny";
import type { Handle } from "./device";
import { mpsVariables, type Mps } from "./mps";

export interface DeviceAccess {
  readonly variables: Variables;
  /** Device files that the task may not open. Empty where the agent cannot deny any, or every file is allowed. */
  readonly denied: readonly DeviceNumber[];
}

export interface AccessMeans {
  /** Whether the agent can deny device files on this machine. */
  readonly keeps: boolean;
  readonly mps: Mps | null;
}

/** Returns the access of a task that was promised the devices in `promised`, out of all cards of this machine. */
export function accessOf(
  promised: Promised["devices"],
  handles: readonly Handle[],
  { keeps, mps }: AccessMeans,
): DeviceAccess {
  const own = promised.flatMap(({ id }) => handles.find((handle) => handle.id === id) ?? []);
  const limited = mps === null ? {} : mpsVariables(mps, promised, own);
  const denied = keeps ? deniedNumbers(own, handles) : [];
  const hidden = handles.filter((handle) => handle.parent === null && !handle.missing && isAmong(denied, handle));
  return { variables: { ...deviceVariables(promised, own, hidden), ...limited }, denied };
}

/** Returns whether one of the card's own device files is denied, so that the card cannot be opened. */
const isAmong = (denied: readonly DeviceNumber[], { files }: Handle): boolean =>
  files.some((file) => {
    const number = deviceNumber(file);
    return denied.some(({ major, minor }) => major === number?.major && minor === number.minor);
  });

/**
 * Returns the card's numbers in its vendor's variable: several for a card in partitions, none for a card that its
 * driver does not count.
 */
const placesOf = ({ visible }: Handle): readonly number[] => (visible === "" ? [] : visible.split(",").map(Number));

/**
 * Returns the card's numbers as the task's runtime counts them. A runtime counts only cards that it can open, so each
 * denied card with a lower number moves this one down by one.
 */
function placeOf(handle: Handle, hidden: readonly Handle[]): string {
  const places = placesOf(handle);
  if (!places.every(Number.isInteger)) return handle.visible;
  const before = hidden.filter(({ vendor }) => vendor === handle.vendor).flatMap(placesOf);
  return places.map((place) => place - before.filter((other) => other < place).length).join(",");
}

/**
 * Returns the variables that name a task's cards. They hold indices instead of UUIDs, since some libraries know indices
 * alone, and they are made when the task starts, since a lost card moves the indices of the others. A task without
 * cards gets empty variables, and sees none.
 */
function deviceVariables(promised: Promised["devices"], own: readonly Handle[], hidden: readonly Handle[]): Variables {
  const of = (vendor: Vendor): readonly Handle[] => own.filter((handle) => handle.vendor === vendor);
  const listed = (vendor: Vendor): string =>
    of(vendor)
      .map((handle) => placeOf(handle, hidden))
      .filter((places) => places !== "")
      .join(",");
  const nvidia = of("nvidia");
  const uuids = nvidia.map(({ id }) => id).join(",");
  return {
    CUDA_DEVICE_ORDER: "PCI_BUS_ID",
    CUDA_VISIBLE_DEVICES: nvidia.every(({ counted }) => counted) ? listed("nvidia") : uuids,
    NVIDIA_VISIBLE_DEVICES: uuids || "void",
    ROCR_VISIBLE_DEVICES: listed("amd"),
    ZE_AFFINITY_MASK: listed("intel"),
    ...(of("intel").length === 0 ? {} : { ZE_ENABLE_PCI_ID_DEVICE_ORDER: "1" }),
    ORCH_GPU_UUIDS: promised.map(({ id }) => id).join(","),
  };
}

/** Returns the device numbers of all cards and drivers, except those that the task's own cards need. */
function deniedNumbers(own: readonly Handle[], all: readonly Handle[]): readonly DeviceNumber[] {
  const numbersOf = (handles: readonly Handle[]): ReadonlyMap<string, DeviceNumber> =>
    new Map(
      [...new Set(handles.flatMap(({ files, shared_files }) => [...files, ...shared_files]))]
        .flatMap((file) => deviceNumber(file) ?? [])
        .map((number) => [`${number.major}:${number.minor}`, number]),
    );
  const allowed = numbersOf(own);
  return [...numbersOf(all)].filter(([key]) => !allowed.has(key)).map(([, number]) => number);
}
