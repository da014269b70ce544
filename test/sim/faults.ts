// Which faults one seed has, and how often. They are drawn per seed ("swarm testing"), since one fixed mixture explores
// one corner.

import type { Random } from "./random";

/** All faults that happen by themselves or by somebody's hand. Each has a mean interval, or never happens. */
export const TROUBLES = [
  "cut",
  "cut_one_way",
  "cut_many",
  "cut_alone",
  "break_link",
  "server_kill",
  "server_pause",
  "restore",
  "wrong_copy",
  "empty_database",
  "agent_kill",
  "agent_pause",
  "agent_upgrade",
  "hang",
  "agent_disk_loss",
  "keeper_kill",
  "keeper_and_agent_kill",
  "keeper_hang",
  "task_dir_loss",
  "journal_loss",
  "reboot",
  "power_off",
  "death",
  "shrink",
  "bad_record",
  "full_disk",
  "slow_commit",
  "stranger",
  "bad_card",
  "forget_flow",
  "clock_jump",
] as const;
export type Trouble = (typeof TROUBLES)[number];

export interface Faults {
  readonly nodes: number;
  /** The share of services that are exclusive. */
  readonly exclusive: number;
  /** Whether the database is SQLite's. Of the faults of a database it then has kills only. */
  readonly sqlite: boolean;
  readonly safety_ms: number;
  /** Probabilities for each message. */
  readonly drop: number;
  readonly double: number;
  readonly slow: number;
  readonly slow_ms: number;
  /** The probability that a message of a closed connection still arrives. */
  readonly ghost: number;
  /** How long a write of an agent may take. */
  readonly write_ms: number;
  /**
   * The probability that an agent is killed or stopped, or the server killed, just when something is sent to it or
   * committed.
   */
  readonly ambush: number;
  /** The probability that a machine is cut off alone just when it is told to start a service. */
  readonly cut_told: number;
  /** The probability that a copy is restored at that moment. */
  readonly restore_told: number;
  /** The mean time between two acts of people, and between two faults of each kind (null: never). */
  readonly act_every_ms: number;
  readonly every_ms: Readonly<Record<Trouble, number | null>>;
  /** How many cores the smallest machines have. Where all are full, there is no room for what is given up. */
  readonly cores: number;
  /** The share of nodes that stay broken in the second phase. */
  readonly dead_share: number;
  /** The mean time between two arrays that somebody submits, or null for never. */
  readonly arrays_every_ms: number | null;
  /** The probability that a machine loses its power just when an element has begun on it. */
  readonly element_power: number;
  /** The probability that a message of the one machine whose agent lies says what is false; 0 where none lies. */
  readonly lie: number;
}

const logUniform = (random: Random, low: number, high: number): number =>
  Math.round(low * (high / low) ** random.next());

const drawArrays = (random: Random): number | null => (random.chance(0.4) ? logUniform(random, 8_000, 60_000) : null);

/** Rare faults affect everything, and one per world is enough. */
const RARE: ReadonlySet<Trouble> = new Set(["restore", "empty_database", "death", "agent_disk_loss", "shrink"]);

const OF_COPIES: ReadonlySet<Trouble> = new Set(["restore", "wrong_copy", "empty_database"]);

export function drawFaults(random: Random): Faults {
  const calm = random.chance(0.05);
  const some = (p: number, high: number): number => (!calm && random.chance(p) ? random.next() * high : 0);
  const safety_ms = logUniform(random, 60_000, 400_000);
  const sqlite = random.chance(0.05);
  // Where everything fails at once, nothing may fail for long: a node is given up only while others are heard.
  const share = random.pick([0.03, 0.1, 0.3, 0.5]);
  const every: Partial<Record<Trouble, number | null>> = {};
  for (const trouble of TROUBLES) {
    const on = random.chance(RARE.has(trouble) ? share * 0.7 : share) && !calm && !(sqlite && OF_COPIES.has(trouble));
    every[trouble] = on ? logUniform(random, RARE.has(trouble) ? 60_000 : 12_000, 300_000) : null;
  }
  const often = (trouble: Trouble, p: number, low: number, high: number): void => {
    if (random.chance(p) && !calm) every[trouble] ??= logUniform(random, low, high);
  };
  often("cut_alone", 0.5, 12_000, 60_000);
  often("agent_disk_loss", 0.2, 20_000, 120_000);
  for (const trouble of [
    "keeper_kill",
    "keeper_and_agent_kill",
    "keeper_hang",
    "task_dir_loss",
    "journal_loss",
  ] as const)
    often(trouble, 0.2, 12_000, 120_000);
  // Most tries find no exclusive task whose machine is away alone.
  often("hang", 0.25, 2_000, 10_000);
  if (!sqlite) {
    often("restore", 0.2, 30_000, 150_000);
    often("wrong_copy", 0.15, 20_000, 150_000);
  }
  // What waits in a hanging keeper must not outlive the timeline that ordered it.
  if (every.restore !== null) often("keeper_hang", 0.5, 12_000, 120_000);
  // A copy is old only if the server was started again since, and better several times.
  if (every.restore !== null || every.wrong_copy !== null)
    every.server_kill = Math.min(every.server_kill ?? Number.POSITIVE_INFINITY, logUniform(random, 15_000, 60_000));
  return {
    nodes: random.int(every.hang === null ? 1 : 3, 6),
    exclusive: every.hang === null ? 0.3 : 0.9,
    sqlite,
    safety_ms,
    drop: some(0.4, 0.15),
    double: some(0.4, 0.2),
    slow: some(0.4, 0.2),
    slow_ms: random.int(100, 20_000),
    ghost: some(0.5, 1),
    write_ms: calm || random.chance(0.6) ? 4 : random.int(100, 3_000),
    ambush: some(0.4, 0.15),
    cut_told: some(0.6, 0.4),
    restore_told: every.restore === null ? 0 : some(0.6, every.keeper_hang === null ? 0.1 : 0.5),
    act_every_ms: logUniform(random, 2_000, 20_000),
    every_ms: every as Record<Trouble, number | null>,
    cores: random.pick([2, 2, 4, 8]),
    dead_share: random.chance(0.5) ? random.next() * 0.6 : 0,
    lie: some(0.4, 0.6),
    arrays_every_ms: drawArrays(random.fork("arrays")),
    element_power: calm || !random.fork("element power").chance(0.4) ? 0 : 0.03,
  };
}
