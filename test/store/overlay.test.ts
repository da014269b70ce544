// An overlay behaves as a map that was copied and changed, whatever is done to it.

import { expect, test } from "bun:test";
import { overlayOf } from "../../src/store/overlay";
import type { Overlay } from "../../src/store/overlay";
import { seeded } from "./scratch";

const sorted = (values: Iterable<number>): number[] => [...values].toSorted((a, b) => a - b);

test("an overlay over an overlay reads as a copied map does, through every way of reading", () => {
  for (let seed = 0; seed < 200; seed++) {
    const dice = seeded(seed);
    const key = (): string => `k${Math.floor(dice() * 8)}`;
    const base = new Map<string, number>();
    for (let i = 0; i < 5; i++) base.set(key(), i);
    const model = new Map(base);
    const below = overlayOf<number>(base);
    for (let i = 0; i < 6; i++) change(below, model, key(), dice() < 0.4 ? null : 10 + i);
    const above = overlayOf<number>(below.view);
    for (let i = 0; i < 6; i++) change(above, model, key(), dice() < 0.4 ? null : 20 + i);

    const { view } = above;
    expect(view.size).toBe(model.size);
    expect(new Map(view)).toEqual(model);
    expect(new Map(view.entries())).toEqual(model);
    expect(new Set(view.keys())).toEqual(new Set(model.keys()));
    expect(sorted(view.values())).toEqual(sorted(model.values()));
    const each = new Map<string, number>();
    view.forEach((value, at, self) => each.set(at, self.get(at) === value ? value : -1));
    expect(each).toEqual(model);
    for (const at of ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "none"]) {
      expect([view.has(at), view.get(at)]).toEqual([model.has(at), model.get(at)]);
    }
  }
});

function change(overlay: Overlay<number>, model: Map<string, number>, key: string, value: number | null): void {
  overlay.set(key, value);
  if (value === null) model.delete(key);
  else model.set(key, value);
}
