// An overlay behaves as a map that was copied and changed, whatever is done to it.

import { expect, test } from "bun:test";
import { overlayOf } from "../../src/store/overlay";
import { seeded } from "./scratch";

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
    expect([...view.values()].toSorted()).toEqual([...model.values()].toSorted());
    const each = new Map<string, number>();
    view.forEach((value, at, self) => each.set(at, self.get(at) === value ? value : -1));
    expect(each).toEqual(model);
    for (let i = 0; i < 8; i++) expect([view.has(`k${i}`), view.get(`k${i}`)]).toEqual([model.has(`k${i}`), model.get(`k${i}`)]);
  }
});

function change(overlay: ReturnType<typeof overlayOf<number>>, model: Map<string, number>, key: string, value: number | null): void {
  overlay.set(key, value);
  if (value === null) model.delete(key);
  else model.set(key, value);
}
