// What happened, in short: the last lines for whoever examines a failure, and a hash over all lines, since the same
// seed must give the same world.

export interface Trace {
  note(what: string): void;
  /** Returns the last lines, oldest first. */
  tail(count: number): string[];
  hash(): string;
  readonly lines: number;
}

const KEPT = 2_000;

export function makeTrace(now: () => number): Trace {
  const ring: string[] = [];
  let lines = 0,
    a = 0x811c9dc5,
    b = 0x1b873593;
  return {
    get lines() {
      return lines;
    },
    note: (what) => {
      const line = `${String(now()).padStart(8)}  ${what}`;
      ring[lines++ % KEPT] = line;
      for (let i = 0; i < line.length; i++) {
        const code = line.charCodeAt(i);
        a = Math.imul(a ^ code, 0x01000193);
        b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13);
      }
    },
    tail: (count) => {
      const from = Math.max(0, lines - Math.min(count, KEPT));
      return Array.from({ length: lines - from }, (_, i) => ring[(from + i) % KEPT] ?? "");
    },
    hash: () => (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0"),
  };
}
