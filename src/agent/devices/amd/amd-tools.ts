// Product names of AMD's cards from amd-smi or rocm-smi, by the cards' addresses. Both tools are slow and always answer
// the same, so they are asked once for a set of cards.

import type { CommandResult } from "../../../os/process/spawn";
import { fieldsOf } from "../../../os/files/json";
import { jsonIn } from "../../../os/process/tool";
import { pciAddress } from "../sysfs";

/** Product names by address. */
export type Names = ReadonlyMap<string, string>;

export const AMD_SMI_ARGS = ["static", "--asic", "--bus", "--json"];
export const ROCM_SMI_ARGS = ["--showproductname", "--showbus", "--json"];

function named(entries: readonly (readonly [address: unknown, name: unknown])[]): Names | null {
  const names = entries.flatMap(([address, name]) => {
    const pci = typeof address === "string" ? pciAddress(address) : null;
    // The tool prints `N/A` or the model's number where it does not know the name.
    const known = typeof name === "string" && !/^(?:N\/A|0x[0-9a-f]+|)$/i.test(name.trim());
    return pci !== null && known ? [[pci, name.trim()] as const] : [];
  });
  return names.length === 0 ? null : new Map(names);
}

/** Reads `amd-smi static --json`: a list, in newer releases below `gpu_data`. */
export function namesInAmdSmi(result: CommandResult): Names | null {
  const json = jsonIn(result);
  const list = Array.isArray(json) ? (json as unknown[]) : fieldsOf(json)["gpu_data"];
  if (!Array.isArray(list)) return null;
  return named(
    list.map((one) => {
      const { asic, bus } = fieldsOf(one);
      return [fieldsOf(bus)["bdf"], fieldsOf(asic)["market_name"]];
    }),
  );
}

/** Reads `rocm-smi --json`: an object with a field for each card, whose keys are written in two ways. */
export function namesInRocmSmi(result: CommandResult): Names | null {
  const cards = Object.entries(fieldsOf(jsonIn(result))).filter(([name]) => /^card\d+$/.test(name));
  return named(
    cards.map(([, value]) => {
      const fields = fieldsOf(value);
      return [fields["PCI Bus"], fields["Card Series"] ?? fields["Card series"]];
    }),
  );
}
