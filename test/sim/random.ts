// Random numbers of the simulator: one seed gives one world. Every part has a stream of its own, so that one more
// number in one part does not shift all others.

export interface Random {
  /** Returns a number in [0, 1). */
  next(): number;
  /** Returns a whole number in [low, high]. */
  int(low: number, high: number): number;
  chance(p: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** Returns an exponentially distributed number with this mean, at least 1. */
  wait(mean_ms: number): number;
  hex(digits: number): string;
  fork(label: string): Random;
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * The generator sfc32: small, fast, and good in the usual tests of randomness. It is seeded through its own warm-up.
 */
export function seeded(seed: string): Random {
  let a = hashOf(seed),
    b = hashOf(`${seed}/b`),
    c = hashOf(`${seed}/c`),
    counter = 1;
  const word = (): number => {
    const t = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) word();
  const next = (): number => word() / 2 ** 32;
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    int,
    chance: (p) => next() < p,
    pick: (list) => {
      const item = list[int(0, list.length - 1)];
      if (item === undefined) throw new Error("picked from an empty list");
      return item;
    },
    wait: (mean_ms) => Math.max(1, Math.round(-Math.log(1 - next()) * mean_ms)),
    hex: (digits) => {
      let out = "";
      while (out.length < digits) out += word().toString(16).padStart(8, "0");
      return out.slice(0, digits);
    },
    fork: (label) => seeded(`${seed}/${label}`),
  };
}
