// AMD's cards as rocm-smi alone reports them. For machines where a person has named the tool and /sys shows no card,
// such as a container that gets the cards without their files in /sys.

import { PLAIN_CARD } from "../device";
import type { CommandResult } from "../../../os/process/spawn";
import { fieldsOf } from "../../../os/files/json";
import { jsonIn } from "../../../os/process/tool";
import type { Card, CardProcess } from "../device";
import { byBus, drmFiles, machineTag, numaNode, numberIn, pciAddress, type Tree } from "../sysfs";

export const ROCM_SMI_ALL = [
  "--showproductname",
  "--showbus",
  "--showuniqueid",
  "--showdriverversion",
  "--showmeminfo",
  "vram",
  "--showuse",
  "--showtemp",
  "--showpower",
  "--showpids",
  "--json",
];

/** Returns the whole cards in the order of the bus; none where the tool failed or lists none. */
export function cardsInRocmSmi(result: CommandResult, tree: Tree): readonly Card[] {
  const all = fieldsOf(jsonIn(result));
  const system = fieldsOf(all["system"]);
  const listed = Object.entries(all).filter(([name]) => /^card\d+$/.test(name));
  // The tool does not report which card a process is on. That is known only where there is one card.
  const processes = listed.length === 1 ? processesIn(system) : [];
  const driver = fieldIn(system, /^driver version$/i);
  return listed
    .flatMap(([, fields]) => cardIn(fieldsOf(fields), tree, driver) ?? [])
    .sort(byBus)
    .map((card, index) => ({ ...card, index, visible: String(index), processes }));
}

/**
 * Returns the first non-empty field whose name matches one of `names`. Releases of the tool write names and units in
 * several ways.
 */
function fieldIn(fields: Readonly<Record<string, unknown>>, ...names: readonly RegExp[]): string | null {
  for (const wanted of names) {
    for (const [name, value] of Object.entries(fields)) {
      const said = typeof value === "string" ? value.trim() : "";
      if (wanted.test(name) && said !== "" && !/^N\/A/i.test(said)) return said;
    }
  }
  return null;
}

function cardIn(fields: Readonly<Record<string, unknown>>, tree: Tree, driver: string | null): Card | null {
  const pci = pciAddress(fieldIn(fields, /^pci bus$/i) ?? "");
  const memory_bytes = numberIn(fieldIn(fields, /^vram total memory \(b\)$/i));
  if (pci === null || memory_bytes === null) return null;
  const unique = /^0x0*([1-9a-f][0-9a-f]*)$/i.exec(fieldIn(fields, /^unique id$/i) ?? "")?.[1] ?? null;
  const names = [
    fieldIn(fields, /^card series$/i),
    fieldIn(fields, /^device name$/i),
    fieldIn(fields, /^card model$/i),
  ];
  const name = names.find((one) => one !== null && !/^0x/i.test(one)) ?? null;
  return {
    ...PLAIN_CARD,
    id: unique === null ? `amd-${machineTag(tree)}-${pci}` : `GPU-${unique.toLowerCase().padStart(16, "0")}`,
    vendor: "amd",
    model: name ?? `AMD ${fieldIn(fields, /^device id$/i, /^gpu id$/i) ?? "card"}`,
    memory_bytes,
    index: 0,
    visible: "",
    pci,
    numa_node: numaNode(tree, pci),
    driver,
    files: drmFiles(tree, pci),
    memory_used_bytes: numberIn(fieldIn(fields, /^vram total used memory \(b\)$/i)),
    utilization_percent: numberIn(fieldIn(fields, /^gpu use \(%\)$/i)),
    temperature_celsius: numberIn(fieldIn(fields, /^temperature .*edge/i, /^temperature .*junction/i)),
    power_watts: numberIn(fieldIn(fields, /power \(w\)$/i)),
  };
}

/** Reads processes: `"PID4711": "python3, 1, 8589934592, 0, 0"` is a name, the number of cards, and memory in bytes. */
const processesIn = (system: Readonly<Record<string, unknown>>): readonly CardProcess[] =>
  Object.entries(system).flatMap(([name, value]) => {
    const pid = numberIn(/^PID(\d+)$/.exec(name)?.[1] ?? null);
    if (pid === null || typeof value !== "string") return [];
    return [{ pid, memory_bytes: numberIn(value.split(",")[2]?.trim() ?? null) }];
  });
