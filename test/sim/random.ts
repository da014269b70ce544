// The dice of the simulator: one seed gives one world. Every part forks its own stream, so that one more throw in
// one part does not shift all the others.

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number in [low, high]. */
  int(low: number, high: number): number;
  chance(p: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** Exponentially distributed with this mean, at least 1. */
  wait(mean_ms: number): number;
  hex(digits: number): string;
  fork(label: string): Random;
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** sfc32: small, fast, passes the usual batteries; seeded through its own warm-up. */
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
