// Random cards: sizes, connections, parts, modes, and changes between two passes.

import type { DeviceState, Link, NodeDevice } from "../../src/core/model/device";
import { GIB, MIB } from "../../src/core/units";
import type { GpuRequest } from "../../src/core/model/workload";
import { buildDevice, buildGpu } from "./build";
import type { Dice } from "./random";

const KINDS = ["nvlink", "switch", "socket"] as const;
const FOREIGN = [0, 0, 0, 256 * MIB, 512 * MIB, 768 * MIB, 3 * GIB, 20 * GIB];
const STATES: readonly DeviceState[] = ["ok", "ok", "ok", "dirty", "quarantined", "missing"];

export function randomCards(dice: Dice, node: string): NodeDevice[] {
  const count = 1 + dice.below(5);
  const models = dice.chance(0.7) ? ["A100"] : ["A100", "T4"];
  const sizes = dice.chance(0.7) ? [24] : [16, 24, 80];
  const cards = Array.from({ length: count }, (_, index) =>
    buildDevice(`${node}-${index}`, {
      index,
      model: dice.pick(models),
      memory_bytes: dice.pick(sizes) * GIB - (dice.chance(0.3) ? 12 * MIB : 0),
      compute_mode: dice.chance(0.05) ? dice.pick(["exclusive", "prohibited"] as const) : null,
      links: randomLinks(dice, node, index, count),
    }),
  );
  return cards.flatMap((card) => (dice.chance(0.3) ? [card, ...partsOf(card, 1 + dice.below(3))] : [card]));
}

/** Connects some of the cards with the next one or those after it. Only one side reports the link. */
function randomLinks(dice: Dice, node: string, index: number, count: number): Link[] {
  if (dice.chance(0.4)) return [];
  const kind = dice.pick(KINDS);
  return Array.from({ length: count }, (_, other) => ({ id: `${node}-${other}`, kind })).filter(
    (_, other) => other > index && dice.chance(0.6),
  );
}

const partsOf = (card: NodeDevice, count: number): NodeDevice[] =>
  Array.from({ length: count }, (_, n) =>
    buildDevice(`${card.id}/${n}`, {
      index: card.index,
      model: `${card.model} MIG 1g.5gb`,
      memory_bytes: 5 * GIB,
      parent: card.id,
    }),
  );

export function randomGpu(dice: Dice): GpuRequest {
  const count = 1 + dice.below(3);
  return buildGpu({
    count,
    models: dice.chance(0.2) ? [dice.pick(["A100", "T4", "1g.5gb"])] : [],
    memory_min_bytes: dice.chance(0.3) ? 24 * GIB : null,
    ...(dice.chance(0.4) ? { share_bytes: dice.pick([1, 4, 8, 12]) * GIB } : {}),
    ...(dice.chance(0.4) ? { linked: count > 1 && dice.chance(0.5) ? "demanded" : "ignored" } : {}),
  });
}

/** Changes cards at random: foreign users come and go, cards break and are repaired, are joined and cut into parts. */
export const cardsLive = (dice: Dice, devices: readonly NodeDevice[]): NodeDevice[] => {
  const recut = dice.chance(0.3) ? dice.pick(devices).id : null;
  const cut: DeviceState = dice.chance(0.5) ? "missing" : "ok";
  return devices.map((device) => ({
    ...device,
    foreign_bytes: dice.chance(0.15) ? Math.min(dice.pick(FOREIGN), device.memory_bytes) : device.foreign_bytes,
    state: device.parent === recut && recut !== null ? cut : dice.chance(0.1) ? dice.pick(STATES) : device.state,
  }));
};

export const cardsHeal = (devices: readonly NodeDevice[]): NodeDevice[] =>
  devices.map((device) => ({ ...device, foreign_bytes: 0, state: "ok" }));
