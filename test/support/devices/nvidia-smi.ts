// Machines with NVIDIA cards and no library: a stand-in for nvidia-smi that answers its queries field by field, with
// the real tool's errors, from tables that a test writes.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Site, type Rig } from "./rig";

const SCRIPT = `
dir=$(dirname "$0")
[ -e "$dir/hang" ] && exec sleep 1000
[ -e "$dir/garble" ] && { printf '\\001\\002 a, b\\n<gpu>, \\n'; exit 0; }
[ -e "$dir/failed" ] && { cat "$dir/failed"; exit 9; }
case "$1" in
--query-gpu=*)
  if [ -e "$dir/lost" ] && [ "$3" != -i ]; then cat "$dir/lost"; exit 15; fi
  exec awk -F'\\t' -v want="\${1#*=}" -v only="$4" -f "$dir/query.awk" "$dir/cards" ;;
--query-compute-apps=*) cat "$dir/apps" ;;
topo) cat "$dir/topo" ;;
-L) cat "$dir/list" ;;
-q) cat "$dir/xml" ;;
esac
`;

/**
 * Prints the columns of the table by heading, in the order that was asked for. The first unknown one ends it, as in the
 * real tool.
 */
const QUERY = `
BEGIN { count = split(want, asked, ",") }
NR == 1 {
  for (i = 1; i <= NF; i++) { column[$i] = i }
  for (i = 1; i <= count; i++) if (!(asked[i] in column)) {
    printf "Field \\"%s\\" is not a valid field to query.\\n\\n", asked[i]
    exit 2
  }
  next
}
only != "" && index(tolower("," only ","), "," tolower(substr($(column["pci.bus_id"]), 5)) ",") == 0 { next }
{
  line = ""
  for (i = 1; i <= count; i++) line = line (i > 1 ? ", " : "") $(column[asked[i]])
  print line
}
`;

export type SmiRow = Readonly<Record<string, string | number>>;

const NOTHING = "[N/A]";
/** A card without what only large cards have, from an RTX 3090 with driver 550. */
const GAMING = {
  driver_version: "550.54.15",
  compute_mode: "Default",
  "ecc.mode.current": NOTHING,
  "ecc.mode.pending": NOTHING,
  "ecc.errors.uncorrected.volatile.total": NOTHING,
  "remapped_rows.pending": NOTHING,
  "remapped_rows.failure": NOTHING,
  "temperature.gpu": 34,
  "power.draw": "24.31",
  "clocks.current.sm": 210,
  "clocks_throttle_reasons.active": "0x0000000000000001",
  "utilization.gpu": 0,
  "mig.mode.current": NOTHING,
  "memory.used": 4,
};
const SERVER = {
  ...GAMING,
  "ecc.mode.current": "Enabled",
  "ecc.mode.pending": "Enabled",
  "ecc.errors.uncorrected.volatile.total": 0,
  "remapped_rows.pending": "No",
  "remapped_rows.failure": "No",
};

export const SMI_CARDS = {
  "RTX 3090": { ...GAMING, name: "NVIDIA GeForce RTX 3090", "memory.total": 24_576 },
  "RTX 4090": { ...GAMING, name: "NVIDIA GeForce RTX 4090", "memory.total": 24_564 },
  L40S: { ...SERVER, name: "NVIDIA L40S", "memory.total": 46_068 },
  A100: { ...SERVER, name: "NVIDIA A100-SXM4-80GB", "memory.total": 81_920, "mig.mode.current": "Disabled" },
  H100: { ...SERVER, name: "NVIDIA H100 80GB HBM3", "memory.total": 81_559, "mig.mode.current": "Disabled" },
} as const;

const HEADINGS = ["index", "uuid", "pci.bus_id", ...Object.keys({ ...SERVER, name: 0, "memory.total": 0 })];

export const smiUuid = (n: number): string => `GPU-5d5ba0d${n}-d33d-2b2c-524d-9e3d8d2b8a7${n}`;

/** Returns a row of the table: the nth card, at a position on the bus. */
export const smiRow = (n: number, bus: string, model: keyof typeof SMI_CARDS, over: SmiRow = {}): SmiRow => ({
  index: n,
  uuid: smiUuid(n),
  "pci.bus_id": `00000000:${bus}:00.0`,
  ...SMI_CARDS[model],
  ...over,
});

/** Returns the matrix as it is printed: the heading underlined, network cards among the columns, affinities behind. */
export function matrix(names: readonly string[], cells: readonly (readonly string[])[]): string {
  const columns = [...names, "NIC0", "CPU Affinity", "NUMA Affinity", "GPU NUMA ID"].join("\t");
  const heading = `\t\u001b[4m${columns}\u001b[0m`;
  const rows = cells.map((row, n) => `${names[n]}\t${row.join("\t")}\tPXB\t0-31,64-95\t0\t\tN/A`);
  const card = `NIC0\t${names.map(() => "PXB").join("\t")}\t X \t\t\t\t`;
  const legend = "Legend:\n\n  X    = Self\n  NV#  = Connection traversing a bonded set of # NVLinks";
  return `${heading}\n${rows.join("\n")}\n${card}\n\n${legend}\n`;
}

export class SmiMachine {
  readonly path: string;

  private constructor(readonly site: Site) {
    this.path = site.tool("nvidia-smi", SCRIPT);
    this.write("query.awk", QUERY);
    for (const name of ["apps", "topo", "list", "xml"]) this.write(name, "");
  }

  static async make(): Promise<SmiMachine> {
    return new SmiMachine(await Site.make());
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.site.root, "tools", name), text);
  }

  heal(): void {
    this.site.drop(...["hang", "garble", "failed", "lost"].map((name) => `tools/${name}`));
  }

  /** Writes the table of cards; `without` lists fields that this release does not know. */
  cards(rows: readonly SmiRow[], without: readonly string[] = []): void {
    const headings = HEADINGS.filter((field) => !without.includes(field));
    const lines = rows.map((row) => headings.map((field) => row[field] ?? NOTHING).join("\t"));
    this.write("cards", `${[headings.join("\t"), ...lines].join("\n")}\n`);
    for (const row of rows) {
      const pci = String(row["pci.bus_id"]).slice(4).toLowerCase();
      const minor = `Model: \t\t ${row["name"]}\nIRQ:   \t\t 139\nDevice Minor: \t ${row["index"]}`;
      this.site.put({ [`proc/driver/nvidia/gpus/${pci}/information`]: minor });
    }
  }
}

export async function smiRig(): Promise<Rig> {
  const machine = await SmiMachine.make();
  return {
    name: "nvidia-smi",
    vendor: "nvidia",
    places: machine.site.places({ nvidia_smi: machine.path }),
    named: true,
    remembers: false,
    cards: 4,
    fill() {
      machine.heal();
      machine.cards([
        smiRow(0, "17", "RTX 3090"),
        smiRow(1, "2A", "RTX 3090", { "memory.used": 20_481, "utilization.gpu": 98, "power.draw": "349.80" }),
        smiRow(2, "65", "RTX 4090"),
        smiRow(3, "CA", "L40S"),
      ]);
      machine.write("apps", `${smiUuid(1)}, 4711, 20476\n`);
      const cells = [
        [" X ", "NV4", "NODE", "SYS"],
        ["NV4", " X ", "PXB", "SYS"],
        ["NODE", "PXB", " X ", "SYS"],
        ["SYS", "SYS", "SYS", " X "],
      ];
      machine.write("topo", matrix(["GPU0", "GPU1", "GPU2", "GPU3"], cells));
    },
    hang: () => machine.write("hang", ""),
    garble: () => machine.write("garble", ""),
    close: () => machine.site.close(),
  };
}
