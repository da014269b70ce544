// Machines with NVIDIA cards as NVML reports them. The stand-in in fixtures/nvml is compiled once, put where a driver
// puts the library, and reads its answers from a file beside it.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Site, type Rig } from "./rig";

const SOURCE = join(import.meta.dir, "..", "fixtures", "nvml", "nvml.c");
const LIBRARY = "usr/lib64/libnvidia-ml.so.1";

type Value = string | number;
/** One line of the state: a word and its values. */
export type Line = readonly [word: string, values: Readonly<Record<string, Value>>];

async function output(argv: string[]): Promise<{ code: number; err: string }> {
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [err, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  return { code, err };
}

/** Finds a C compiler: the machine's, or one that can be installed. Returns why there is none otherwise. */
async function findCompiler(): Promise<{ cc: string } | { why: string }> {
  const found = (): string | null => Bun.which("cc") ?? Bun.which("gcc");
  const there = found();
  if (there !== null) return { cc: there };
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) return { why: "there is no C compiler" };
  const { code, err } = await output(["apt-get", "install", "-y", "--no-install-recommends", "gcc", "libc6-dev"]);
  const installed = found();
  return code === 0 && installed !== null ? { cc: installed } : { why: `gcc cannot be installed: ${err.slice(-200)}` };
}

export const compiler = await findCompiler();

/** Appended to the names of tests that need the library, so that the reason for skipping them is printed. */
export const without = "why" in compiler ? ` (skipped: ${compiler.why})` : "";

const built = new Map<string, Promise<Uint8Array>>();

/** Compiles the library and returns its bytes. `old` has only the calls of a release of 2018. */
function build(release: "now" | "old"): Promise<Uint8Array> {
  const known = built.get(release);
  if (known !== undefined) return known;
  const making = (async () => {
    if ("why" in compiler) throw new Error(compiler.why);
    const workshop = await Site.make();
    const file = join(workshop.root, "library.so");
    const flags = release === "old" ? ["-DOLD"] : [];
    const { code, err } = await output([compiler.cc, "-shared", "-fPIC", "-O1", ...flags, "-o", file, SOURCE, "-ldl"]);
    const bytes = code === 0 ? readFileSync(file) : null;
    await workshop.close();
    if (bytes === null) throw new Error(`the stand-in for NVML does not compile:\n${err}`);
    return bytes;
  })();
  built.set(release, making);
  return making;
}

export class NvmlMachine {
  readonly library: string;
  #lines: readonly Line[] = [];

  private constructor(readonly site: Site) {
    this.library = join(site.root, LIBRARY);
  }

  static async make(release: "now" | "old" = "now"): Promise<NvmlMachine> {
    const machine = new NvmlMachine(await Site.make());
    mkdirSync(dirname(machine.library), { recursive: true });
    writeFileSync(machine.library, await build(release), { mode: 0o755 });
    machine.site.put({ "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module" });
    return machine;
  }

  /** Sets what the library reports from the next look on. */
  tell(lines: readonly Line[]): void {
    this.#lines = lines;
    const values = (of: Readonly<Record<string, Value>>): string =>
      Object.entries(of)
        .map(([key, value]) => ` ${key}=${String(value).replaceAll(" ", "~")}`)
        .join("");
    writeFileSync(`${this.library}.state`, lines.map(([word, of]) => `${word}${values(of)}\n`).join(""));
  }

  /** Adds to what the library reports. */
  also(...lines: readonly Line[]): void {
    this.tell([...this.#lines, ...lines]);
  }

  close(): Promise<void> {
    return this.site.close();
  }
}

export const GPU = (n: number): string => `GPU-0000000${n}-1111-2222-3333-44444444444${n}`;
const MIB = 2 ** 20;
export const LIBRARY_LINE: Line = ["library", { init: 0, driver: "550.54.15" }];

/** Returns a card of a model as its driver reports it, at a position on the bus. */
export function card(n: number, bus: number, model: keyof typeof MODELS, over: Readonly<Record<string, Value>> = {}) {
  const { total, ...rest } = MODELS[model];
  const pci = `0000:${bus.toString(16).padStart(2, "0")}:00.0`;
  const common = { uuid: GPU(n), pci, minor: n, mode: 0, temp: 34, util: 0, reasons: 1, used: 4 * MIB };
  return ["card", { ...common, total: total * MIB, ...rest, ...over }] as const satisfies Line;
}

/** Models as real drivers report them, memory in MiB. What such a card does not report is left out. */
export const MODELS = {
  "RTX 3090": { name: "NVIDIA GeForce RTX 3090", total: 24_576, reserved: 310 * MIB, power: 24_310, clock: 210 },
  "RTX 4090": { name: "NVIDIA GeForce RTX 4090", total: 24_564, reserved: 345 * MIB, power: 17_480, clock: 210 },
  L40S: {
    name: "NVIDIA L40S",
    total: 46_068,
    reserved: 467 * MIB,
    power: 36_020,
    clock: 210,
    ecc: 1,
    errors: 0,
    remap: 0,
  },
  A100: {
    name: "NVIDIA A100-SXM4-80GB",
    total: 81_920,
    reserved: 770 * MIB,
    power: 61_940,
    clock: 210,
    ecc: 1,
    errors: 0,
    remap: 0,
    mig: 0,
    parts: 7,
  },
  H100: {
    name: "NVIDIA H100 80GB HBM3",
    total: 81_559,
    reserved: 577 * MIB,
    power: 70_500,
    clock: 345,
    ecc: 1,
    errors: 0,
    remap: 0,
    mig: 0,
    parts: 7,
  },
  /** The card uses the machine's memory, and no call reports how much. */
  GB10: { name: "NVIDIA GB10", total: 0, power: 4_800, clock: 208 },
} as const;

/** Returns eight cards on one fabric, not in the order of the bus. Four share a socket, two of those a switch. */
export function eightH100(): readonly Line[] {
  const buses = [0x1b, 0x43, 0x52, 0x61, 0x9d, 0xc3, 0xd1, 0x0f];
  const cards = buses.map((bus, n) => card(n, bus, "H100"));
  const links = buses.map((_, n): Line => ["nvswitch", { card: n, links: 18 }]);
  return [LIBRARY_LINE, ...cards, ...links, ["level", { a: 0, b: 7, is: 20 }], ["level", { a: 1, b: 2, is: 40 }]];
}

/** Returns the same with one card in two parts, and a process on one of the parts. */
function oneInParts(): readonly Line[] {
  const part = (ci: number): Line => [
    "part",
    { card: 2, uuid: `MIG-${ci}`, name: "NVIDIA H100 80GB HBM3 MIG 3g.40gb", total: 40_192 * MIB, gi: ci + 1, ci: 0 },
  ];
  return [
    ...eightH100().map((line): Line => (line[1]["uuid"] === GPU(2) ? card(2, 0x52, "H100", { mig: 1 }) : line)),
    part(0),
    part(1),
    ["process", { card: 2, part: 1, pid: 77, memory: 1_000 * MIB, kind: "compute" }],
  ];
}

export async function nvmlRig(): Promise<Rig> {
  const machine = await NvmlMachine.make();
  return {
    name: "NVML",
    vendor: "nvidia",
    places: machine.site.places(),
    named: false,
    remembers: false,
    cards: 8,
    fill: () => machine.tell(oneInParts()),
    hang: () => machine.also(["hang", { call: "nvmlDeviceGetPowerUsage", card: 5 }]),
    garble: () =>
      machine.tell([
        ["library", {}],
        ["card", {}],
        ["card", { total: 1 }],
      ]),
    close: () => machine.close(),
  };
}
