// `bun run sim`: worlds of fresh seeds until stopped; `--seed N` replays one, `--seeds A..B` a range, and `--mutant
// NAME` (with mutate.ts preloaded) says in its last line whether the deliberate bug was seen.

import { runSeed, type Result } from "./run";

interface Options {
  readonly seeds: Generator<string>;
  readonly lines: number;
  readonly keepGoing: boolean;
}

function* range(first: number, last: number): Generator<string> {
  for (let seed = first; seed <= last; seed++) yield String(seed);
}

function* fresh(): Generator<string> {
  for (;;) yield String(crypto.getRandomValues(new Uint32Array(1))[0]);
}

function optionsOf(argv: readonly string[]): Options {
  const valueOf = (flag: string): string | null => {
    const at = argv.indexOf(flag);
    return at < 0 ? null : (argv[at + 1] ?? null);
  };
  const seed = valueOf("--seed"),
    seeds = valueOf("--seeds");
  const [first, last] = (seeds ?? "").split("..").map(Number);
  const chosen =
    seed !== null ? range(Number(seed), Number(seed)) : seeds !== null ? range(first ?? 1, last ?? 1) : fresh();
  return { seeds: chosen, lines: Number(valueOf("--lines") ?? 60), keepGoing: argv.includes("--keep-going") };
}

function show(result: Result): void {
  const { seed, violation, trace } = result;
  console.log(trace.join("\n"));
  console.log(`\nseed ${seed} breaks: ${violation?.invariant ?? ""}\n    ${violation?.seen ?? ""}`);
  console.log(`replay it with: bun run sim --seed ${seed}`);
}

function main(): number {
  const { seeds, lines, keepGoing } = optionsOf(process.argv.slice(2));
  const begin_ms = performance.now();
  const broken: Result[] = [];
  let worlds = 0,
    ticks = 0,
    shown_ms = begin_ms,
    last: Result | null = null;
  for (const seed of seeds) {
    last = runSeed(seed, lines);
    worlds++;
    ticks += last.ticks;
    if (last.violation !== null) {
      broken.push(last);
      if (!keepGoing) break;
      console.log(`seed ${seed}: ${last.violation.message.split("\n")[0]}`);
    }
    if (performance.now() - shown_ms > 5_000) {
      shown_ms = performance.now();
      console.log(
        `${worlds} worlds, ${ticks} events, ${((worlds / (shown_ms - begin_ms)) * 1_000).toFixed(1)} worlds/s`,
      );
    }
  }
  const [first] = broken;
  if (first !== undefined && !keepGoing) show(first);
  const rate = ((worlds / (performance.now() - begin_ms)) * 1_000).toFixed(1);
  console.log(
    `${worlds} worlds, ${ticks} events, ${rate} worlds/s, ${broken.length} broken` +
      (worlds === 1 && last !== null ? `, hash ${last.hash}` : ""),
  );
  return broken.length === 0 ? 0 : 1;
}

// A world that was broken off leaves timers of its parts behind, which would keep this process.
process.exit(main());
