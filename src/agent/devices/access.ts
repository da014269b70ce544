// How a task comes to its cards and to no others: what they are called in the variables of their vendors, and which
// device files are kept from it.

import type { Vendor } from "../../core/model/device";
import type { Promised } from "../../core/model/promised";
import { deviceNumber, type DeviceNumber } from "../../os/device-deny";
import type { Handle } from "./device";
import { mpsVariables, type Mps } from "./mps";

export interface Access {
  readonly variables: Readonly<Record<string, string>>;
  /** Empty where nothing can be kept away, or there is nothing to keep away. */
  readonly denied: readonly DeviceNumber[];
}

export interface AccessMeans {
  /** Whether device files can be kept away. */
  readonly keeps: boolean;
  readonly mps: Mps | null;
}

/** The access of a task that was promised these devices, out of all that are here. */
export function accessOf(
  promised: Promised["devices"],
  handles: readonly Handle[],
  { keeps, mps }: AccessMeans,
): Access {
  const own = promised.flatMap(({ id }) => handles.find((handle) => handle.id === id) ?? []);
  const limited = mps === null ? {} : mpsVariables(mps, promised, own);
  const denied = keeps ? deniedNumbers(own, handles) : [];
  const hidden = handles.filter((handle) => handle.parent === null && !handle.missing && isAmong(denied, handle));
  return { variables: { ...deviceVariables(promised, own, hidden), ...limited }, denied };
}

/** Whether a card cannot be opened, for one of the files of its own. */
const isAmong = (denied: readonly DeviceNumber[], { files }: Handle): boolean =>
  files.some((file) => {
    const number = deviceNumber(file);
    return denied.some(({ major, minor }) => major === number?.major && minor === number.minor);
  });

/** Places of a card: several where it is in partitions, none where its driver does not count it. */
const placesOf = ({ visible }: Handle): readonly number[] => (visible === "" ? [] : visible.split(",").map(Number));

/** Runtimes count only cards that they can open: those before this one that are kept away do not count. */
function placeOf(handle: Handle, hidden: readonly Handle[]): string {
  const places = placesOf(handle);
  if (!places.every(Number.isInteger)) return handle.visible;
  const before = hidden.filter(({ vendor }) => vendor === handle.vendor).flatMap(placesOf);
  return places.map((place) => place - before.filter((other) => other < place).length).join(",");
}

/**
 * Indices rather than UUIDs, since some libraries only know those, resolved at the last moment: a card that is lost
 * moves the others. Who was promised nothing sees nothing.
 */
function deviceVariables(
  promised: Promised["devices"],
  own: readonly Handle[],
  hidden: readonly Handle[],
): Record<string, string> {
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

/** The files of all cards and of their drivers, but for those that the task's own cards need. */
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
