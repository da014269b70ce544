// NVIDIA's cards through nvidia-smi, for machines where NVML cannot be loaded. A look runs the tool a few times, all
// runs within the time limit of one look, and returns the same as a look through NVML.

import type { Link } from "../../../core/model/device";
import { bootMs } from "../../../os/clock";
import type { CommandResult } from "../../../os/process/spawn";
import { createTool, type Tool } from "../../../os/process/tool";
import {
  cardOf,
  FIELDS,
  isSplit,
  linksIn,
  lostIn,
  partsIn,
  processesIn,
  rowsOf,
  unknownField,
  type Row,
} from "./nvidia-text";
import type { LostCard, NvmlCard, NvmlLook, NvmlPart } from "./nvml-look";
import type { Tree } from "../sysfs";

type SeenCards = Extract<NvmlLook, { is: "seen" }>;
type Links = ReadonlyMap<string, Link["kind"]>;
type Run = (...args: string[]) => Promise<CommandResult>;

const FORMAT = "--format=csv,noheader,nounits";
const KNOWN_CARDS = "proc/driver/nvidia/gpus";
/** How often the first query is repeated, each time without the field or the card that made it fail. */
const MOST_TRIES = 24;

export class NvidiaSmi {
  readonly #tree: Tree;
  #tool: Tool | null = null;
  #fields: readonly (typeof FIELDS)[number][] = FIELDS;
  /**
   * The links of the set of cards named `of`. They change only with the cards and the driver, and asking for them costs
   * as much as everything else.
   */
  #links: { readonly of: string; readonly links: Links } | null = null;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** Looks once. Returns what was seen, or why nothing was. */
  async look(path: string, timeout_ms: number): Promise<SeenCards | string> {
    const tool = this.#tool?.path === path ? this.#tool : createTool(path);
    this.#tool = tool;
    const until_ms = bootMs() + timeout_ms;
    const run: Run = (...args) => tool.run(args, Math.max(1, Math.round(until_ms - bootMs())));
    const asked = await this.#rows(run);
    if (typeof asked === "string") return asked;
    const apps = await run("--query-compute-apps=gpu_uuid,pid,used_memory", FORMAT);
    if (apps.is === "failed") return apps.why;
    const links = await this.#linksOf(run, asked.rows);
    const parts = await partsOf(run, asked.rows);
    if (typeof links === "string") return links;
    if (typeof parts === "string") return parts;
    return this.#assemble(asked.rows, asked.lost, processesIn(apps.out), links, parts);
  }

  /** Queries all cards. The tool fails for all of them when one is lost; it is then asked for the others alone. */
  async #rows(run: Run): Promise<{ rows: readonly Row[]; lost: readonly LostCard[] } | string> {
    const lost: LostCard[] = [];
    const all = this.#tree.names(KNOWN_CARDS);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const others = all.filter((pci) => !lost.some((one) => one.pci === pci));
      if (lost.length > 0 && others.length === 0) return { rows: [], lost };
      const chosen = lost.length === 0 ? [] : ["-i", others.join(",")];
      const asked = await run(`--query-gpu=${this.#fields.join(",")}`, FORMAT, ...chosen);
      if (asked.is === "failed") return asked.why;
      const said = `${asked.out}\n${asked.err}`;
      const unknown = unknownField(said);
      const gone = lostIn(said);
      if (unknown !== null && this.#fields.some((field) => field === unknown)) {
        this.#fields = this.#fields.filter((field) => field !== unknown);
      } else if (gone !== null && !lost.some(({ pci }) => pci === gone.pci)) {
        lost.push({ at: Math.max(0, all.indexOf(gone.pci)), id: null, ...gone });
      } else if (asked.code === 0 || /No devices were found/.test(said)) {
        return { rows: rowsOf(asked.out, this.#fields), lost };
      } else {
        return `nvidia-smi: ${said.trim().split("\n")[0] ?? ""} (exit ${asked.code})`;
      }
    }
    return "nvidia-smi: it finds something else wrong each time that it is asked";
  }

  async #linksOf(run: Run, rows: readonly Row[]): Promise<Links | string> {
    const of = rows.map((row) => `${row.index} ${row.uuid} ${row.driver_version}`).join("\n");
    if (rows.length < 2) return new Map();
    if (this.#links?.of === of) return this.#links.links;
    const asked = await run("topo", "-m");
    if (asked.is === "failed") return asked.why;
    const links = linksIn(asked.out);
    this.#links = { of, links };
    return links;
  }

  #assemble(
    rows: readonly Row[],
    gone: readonly LostCard[],
    processes: ReadonlyMap<string, NvmlCard["processes"]>,
    links: Links,
    parts: ReadonlyMap<string, readonly NvmlPart[]>,
  ): SeenCards {
    const cards: NvmlCard[] = [];
    const lost = [...gone];
    const idOf = new Map(rows.map((row) => [row.index ?? "", row.uuid ?? ""]));
    for (const row of rows) {
      const card = cardOf(row);
      if ("trouble" in card) {
        lost.push(card);
        continue;
      }
      cards.push({
        ...card,
        minor: this.#minorOf(card.pci),
        processes: processes.get(card.id) ?? [],
        links: [...links].flatMap(([pair, kind]) => {
          const [from, to] = pair.split(" ");
          return from === row.index ? [{ id: idOf.get(to ?? "") ?? "", kind }] : [];
        }),
        parts: isSplit(row) ? (parts.get(card.id) ?? []) : null,
      });
    }
    const isThere = ({ id }: Link): boolean => cards.some((card) => card.id === id);
    return {
      is: "seen",
      driver: rows[0]?.driver_version ?? null,
      cards: cards.map((card) => ({ ...card, links: card.links.filter(isThere) })),
      lost,
    };
  }

  #minorOf(pci: string | null): number | null {
    const text = pci === null ? null : this.#tree.text(`${KNOWN_CARDS}/${pci}/information`);
    const minor = /^Device Minor:\s*(\d+)/m.exec(text ?? "")?.[1];
    return minor === undefined ? null : Number(minor);
  }
}

async function partsOf(run: Run, rows: readonly Row[]): Promise<ReadonlyMap<string, readonly NvmlPart[]> | string> {
  if (!rows.some(isSplit)) return new Map();
  const list = await run("-L");
  if (list.is === "failed") return list.why;
  const xml = await run("-q", "-x");
  return xml.is === "failed" ? xml.why : partsIn(list.out, xml.out);
}
