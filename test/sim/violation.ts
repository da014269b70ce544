// A broken invariant: which one, and what was seen. It is thrown out of the world, which stops there.

export class Violation extends Error {
  override name = "Violation";
  constructor(
    readonly invariant: string,
    readonly seen: string,
  ) {
    super(`${invariant}: ${seen}`);
  }
}

export function demand(condition: boolean, invariant: string, seen: () => string): asserts condition {
  if (!condition) throw new Violation(invariant, seen());
}
