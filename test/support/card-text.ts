// Cards in the text of a golden file's cluster: the cards of a node, and lines that change one card.

import type { LinkKind, NodeDevice } from "../../src/core/model/device";
import type { NodeRow } from "../../src/core/model/rows-node";
import { buildDevice } from "./build";
import { parseMs, spaced, type Words } from "./words";

/** Reads `NVIDIA_T4:16GB*2`. Cards are named by the prefix, their model and a number. */
export function readCards(prefix: string, text: string): NodeDevice[] {
  const [, model = "", memory = "", count = "1"] = /^([^:]+):([\d.]+[GM]i?B)(?:\*(\d+))?$/.exec(text) ?? [];
  return Array.from({ length: Number(count) }, (_, n) =>
    buildDevice(`${prefix}${model}-${n}`, { model: spaced(model), memory_bytes: parseMs(memory) }),
  );
}

/** Replaces the devices of the node that has one of these. */
function changeDevices(
  nodes: NodeRow[],
  id: string,
  change: (devices: readonly NodeDevice[]) => readonly NodeDevice[],
): void {
  const at = nodes.findIndex(({ devices }) => devices.some((device) => device.id === id));
  const node = nodes[at];
  if (node === undefined) throw new Error(`no card ${id}`);
  nodes[at] = { ...node, devices: change(node.devices) };
}

/** Reads `card a-T4-0 foreign=2GB by=bob is=dirty reason=left mode=exclusive parts=MIG_1g.5gb:5GB*2`. */
export function changeCard(nodes: NodeRow[], id: string, words: Words): void {
  const changed: Partial<NodeDevice> = {
    foreign_bytes: words.has("foreign") ? words.ms("foreign", 0) : 0,
    foreign: words.has("by") ? spaced(words.text("by") ?? "") : null,
    state: (words.text("is") ?? "ok") as NodeDevice["state"],
    reason: words.has("reason") ? spaced(words.text("reason") ?? "") : null,
    compute_mode: (words.text("mode") ?? null) as NodeDevice["compute_mode"],
  };
  const parts = words.list("parts").flatMap((text) => readCards(`${id}-`, text));
  changeDevices(nodes, id, (devices) => [
    ...devices.map((device) => (device.id === id ? { ...device, ...changed } : device)),
    ...parts.map((part) => ({ ...part, parent: id })),
  ]);
}

/** Reads `link nvlink a-T4-0 a-T4-1`, which connects each of the cards with each other. */
export function linkCards(nodes: NodeRow[], kind: LinkKind, ids: readonly string[]): void {
  for (const id of ids) {
    const links = ids.filter((other) => other !== id).map((other) => ({ id: other, kind }));
    changeDevices(nodes, id, (devices) =>
      devices.map((device) => (device.id === id ? { ...device, links: [...device.links, ...links] } : device)),
    );
  }
}
