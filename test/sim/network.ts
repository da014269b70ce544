// The network between agents and the server: connections that are slow, repeat what may be repeated, break at one end
// first, or are cut in one direction only. Messages of one connection stay in order, and are lost with it.

import type { Faults } from "./faults";
import type { Random } from "./random";
import type { Schedule } from "./schedule";

export type Way = "up" | "down";

/** One end of a connection. An end that has closed may still receive what was on the way. */
export interface End {
  open: boolean;
  hear(data: string): void;
  closed(code: number, reason: string): void;
}

export interface Link {
  readonly id: number;
  readonly machine: string;
  readonly agent: End;
  readonly server: End;
  readonly busy_until_ms: Record<Way, number>;
}

export interface Network {
  /** Opens a connection once the server has answered. `accept` makes the server's end. */
  dial(machine: string, agent: End, accept: (link: Link) => End | null, opened: (link: Link | null) => void): void;
  /** Sends to the other end. Returns false if the sender's buffer was full and the message was dropped. */
  send(link: Link, way: Way, data: string): boolean;
  /** Closes one end. The other end learns of it at once or late. */
  close(link: Link, by: Way, code: number, reason: string): void;
  /** Breaks ends whose process died. The kernel closes the connection, unless it died too (`silently`). */
  breakEnds(which: (link: Link) => boolean, way: Way, silently?: boolean): void;
  /** Breaks the connections of a machine. Each end notices in its own time. */
  breakLinks(machine: string): void;
  /**
   * Breaks the agent's ends of a machine's connections. The server learns of it after everything that is on the way.
   */
  hangUp(machine: string): void;
  /** Delays what a machine sends on its present connections. A new connection is not delayed. */
  stall(machine: string, stall_ms: number): void;
  /**
   * Makes the next connection of a machine half open: its agent receives nothing on it, not even that it was closed.
   */
  deafen(machine: string): void;
  /**
   * Forgets the present connections of a machine, as a firewall does: nothing arrives on them any more, and neither end
   * learns of it.
   */
  forget(machine: string): void;
  cut(machine: string, way: Way | "both"): void;
  mend(machine: string): void;
  isCut(machine: string): boolean;
  /** From now on nothing is lost, late or doubled. */
  heal(): void;
}

/** The code of an end that was ended without a handshake. */
export const TERMINATED = 1006;

/** Messages that either side repeats by itself, so that receiving one twice must do no harm. */
const REPEATED = /^\{"type":"(report|changes|ack|beat|heartbeat)"/;

interface Wires {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly faults: Faults;
  /** The directions that are cut (`machine/way`), and the messages that wait there. */
  readonly cuts: Set<string>;
  readonly held: Map<string, (() => void)[]>;
  readonly links: Set<Link>;
  /** Machines whose next connection is half open, and those connections. */
  readonly deaf: { readonly next: Set<string>; readonly links: WeakSet<Link> };
  /** Connections that are forgotten. */
  readonly forgotten: WeakSet<Link>;
  healed: boolean;
  next_id: number;
}

export function makeNetwork(schedule: Schedule, random: Random, faults: Faults): Network {
  const wires: Wires = {
    schedule,
    random,
    faults,
    cuts: new Set(),
    held: new Map(),
    links: new Set(),
    deaf: { next: new Set(), links: new WeakSet() },
    forgotten: new WeakSet(),
    healed: false,
    next_id: 0,
  };
  return {
    dial: (machine, agent, accept, opened) => dial(wires, machine, agent, accept, opened),
    send: (link, way, data) => send(wires, link, way, data),
    close: (link, by, code, reason) => close(wires, link, by, code, reason),
    breakEnds: (which, way, silently = false) => breakEnds(wires, which, way, silently),
    breakLinks: (machine) => {
      for (const link of wires.links) {
        if (link.machine !== machine) continue;
        for (const way of WAYS) schedule.in(random.int(1, 5_000), () => hangUp(wires, link, way, 1006, "broken"));
      }
    },
    hangUp: (machine) => {
      for (const link of Array.from(wires.links)) {
        if (link.machine !== machine) continue;
        travel(wires, link, "up", () => hangUp(wires, link, "up", 1006, "broken"));
        hangUp(wires, link, "down", 1006, "broken");
      }
    },
    stall: (machine, stall_ms) => {
      for (const link of wires.links) if (link.machine === machine) link.busy_until_ms.up = schedule.now_ms + stall_ms;
    },
    forget: (machine) => {
      for (const link of wires.links) if (link.machine === machine) wires.forgotten.add(link);
    },
    deafen: (machine) => void wires.deaf.next.add(machine),
    cut: (machine, way) => {
      for (const one of way === "both" ? WAYS : [way]) wires.cuts.add(`${machine}/${one}`);
      for (const link of wires.links) if (link.machine === machine) starve(wires, link);
    },
    mend: (machine) => mend(wires, machine),
    isCut: (machine) => isCut(wires, machine),
    heal: () => {
      wires.healed = true;
    },
  };
}

const WAYS = ["up", "down"] as const;

const isCut = ({ cuts }: Wires, machine: string): boolean =>
  cuts.size > 0 && (cuts.has(`${machine}/up`) || cuts.has(`${machine}/down`));

function dial(
  wires: Wires,
  machine: string,
  agent: End,
  accept: (link: Link) => End | null,
  opened: (link: Link | null) => void,
): void {
  const { schedule, random } = wires;
  schedule.in(random.int(2, 40), () => {
    if (isCut(wires, machine)) return schedule.in(random.int(1_000, 8_000), () => opened(null));
    const link: Link = {
      id: wires.next_id++,
      machine,
      agent,
      busy_until_ms: { up: 0, down: 0 },
      server: { open: true, hear: () => undefined, closed: () => undefined },
    };
    const server = accept(link);
    if (server === null) return opened(null);
    Object.assign(link.server, server);
    agent.open = true;
    if (wires.deaf.next.delete(machine)) wires.deaf.links.add(link);
    wires.links.add(link);
    opened(link);
  });
}

function send(wires: Wires, link: Link, way: Way, data: string): boolean {
  const { random, faults, healed } = wires;
  const [from, to] = way === "up" ? [link.agent, link.server] : [link.server, link.agent];
  if (!from.open) return false;
  if (way === "down" && wires.deaf.links.has(link)) return true;
  // At the beginning of a connection a buffer is hardly ever full.
  const drop = REPEATED.test(data) ? faults.drop : faults.drop / 2;
  if (way === "down" && !healed && random.chance(drop)) return false;
  const ghost = !healed && random.chance(faults.ghost);
  const hear = (): void => {
    if (to.open || ghost) to.hear(data);
  };
  travel(wires, link, way, hear);
  if (!healed && REPEATED.test(data) && random.chance(faults.double)) travel(wires, link, way, hear);
  return true;
}

/** Delivers a message in the order of its connection and direction. A message that meets a cut waits there. */
function travel(wires: Wires, link: Link, way: Way, deliver: () => void): void {
  const { schedule, random, faults, healed } = wires;
  const slow = !healed && random.chance(faults.slow) ? random.int(0, faults.slow_ms) : 0;
  const at = Math.max(schedule.now_ms + random.int(1, 15) + slow, link.busy_until_ms[way]);
  link.busy_until_ms[way] = at;
  schedule.at(at, () => {
    if (wires.forgotten.has(link)) return;
    const key = `${link.machine}/${way}`;
    if (wires.cuts.size === 0 || !wires.cuts.has(key)) return deliver();
    const waiting = wires.held.get(key);
    if (waiting === undefined) wires.held.set(key, [deliver]);
    else waiting.push(deliver);
  });
}

function close(wires: Wires, link: Link, by: Way, code: number, reason: string): void {
  if (!(by === "up" ? link.agent : link.server).open) return;
  // The closing handshake of a forgotten connection is never answered: the kernel gives up on it late.
  const waits = by === "up" && code !== TERMINATED && wires.forgotten.has(link);
  if (by === "up" || !wires.deaf.links.has(link)) {
    travel(wires, link, by, () => hangUp(wires, link, by, code, reason));
  }
  const over_ms = waits ? wires.random.int(60_000, 120_000) : wires.random.int(1, 30);
  wires.schedule.in(over_ms, () => hangUp(wires, link, by === "up" ? "down" : "up", code, reason));
}

/** Closes the end to which this direction leads, and tells it. */
function hangUp({ links }: Wires, link: Link, way: Way, code: number, reason: string): void {
  const end = way === "up" ? link.server : link.agent;
  if (!end.open) return;
  end.open = false;
  if (!link.agent.open && !link.server.open) links.delete(link);
  end.closed(code, reason);
}

function breakEnds(wires: Wires, which: (link: Link) => boolean, way: Way, silently: boolean): void {
  for (const link of Array.from(wires.links)) {
    if (!which(link)) continue;
    (way === "up" ? link.agent : link.server).open = false;
    if (silently || (way === "down" && wires.deaf.links.has(link))) continue;
    travel(wires, link, way, () => hangUp(wires, link, way, 1006, "the other end died"));
  }
}

/** Both kernels give up a connection with a cut direction, each in its own time. */
function starve(wires: Wires, link: Link): void {
  for (const way of WAYS) {
    wires.schedule.in(wires.random.int(20_000, 120_000), () => {
      if (isCut(wires, link.machine)) hangUp(wires, link, way, 1006, "timed out");
    });
  }
}

function mend(wires: Wires, machine: string): void {
  for (const way of WAYS) {
    const key = `${machine}/${way}`;
    if (!wires.cuts.delete(key)) continue;
    const waiting = wires.held.get(key) ?? [];
    wires.held.delete(key);
    for (const deliver of waiting) wires.schedule.in(1, deliver);
  }
}
