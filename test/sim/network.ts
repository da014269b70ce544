// The network between agents and the server: connections that are slow, repeat what may be repeated, break at one end
// first, or are cut in one direction only. Within one connection nothing overtakes; what is under way is lost with it.

import type { Faults } from "./faults";
import type { Random } from "./random";
import type { Schedule } from "./schedule";

export type Way = "up" | "down";

/** One end of a connection. An end that has let go may still hear what was under way. */
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
  /** Opens a connection once the server has answered; `accept` makes the server's end. */
  dial(machine: string, agent: End, accept: (link: Link) => End | null, opened: (link: Link | null) => void): void;
  /** Sends to the other end; `false` when the sender's buffer is full and it was dropped. */
  send(link: Link, way: Way, data: string): boolean;
  /** One end lets go; the other hears of it, at once or late. */
  close(link: Link, by: Way, code: number, reason: string): void;
  /** The process behind one end died: its kernel closes the connection. */
  breakEnds(which: (link: Link) => boolean, way: Way): void;
  /** The connection itself breaks; each end notices in its own time. */
  breakLinks(machine: string): void;
  cut(machine: string, way: Way | "both"): void;
  mend(machine: string): void;
  isCut(machine: string): boolean;
  /** From here on nothing is lost, late or doubled any more. */
  heal(): void;
}

/** Messages that either side repeats by itself, so that hearing one twice must do no harm. */
const REPEATED = /^\{"type":"(report|changes|ack|beat|heartbeat)"/;

export function makeNetwork(schedule: Schedule, random: Random, faults: Faults): Network {
  const cuts = new Set<string>();
  const held = new Map<string, (() => void)[]>();
  const links = new Set<Link>();
  let healed = false, ids = 0;

  const isCut = (machine: string): boolean => cuts.size > 0 && (cuts.has(`${machine}/up`) || cuts.has(`${machine}/down`));

  const arrive = (machine: string, way: Way, deliver: () => void): void => {
    if (cuts.size === 0) return deliver();
    const key = `${machine}/${way}`;
    if (!cuts.has(key)) return deliver();
    const waiting = held.get(key);
    if (waiting === undefined) held.set(key, [deliver]);
    else waiting.push(deliver);
  };

  const travel = (link: Link, way: Way, deliver: () => void): void => {
    const slow = !healed && random.chance(faults.slow) ? random.int(0, faults.slow_ms) : 0;
    const at = Math.max(schedule.now_ms + random.int(1, 15) + slow, link.busy_until_ms[way]);
    link.busy_until_ms[way] = at;
    schedule.at(at, () => arrive(link.machine, way, deliver));
  };

  const hangUp = (link: Link, way: Way, code: number, reason: string): void => {
    const end = way === "up" ? link.server : link.agent;
    if (!end.open) return;
    end.open = false;
    if (!link.agent.open && !link.server.open) links.delete(link);
    end.closed(code, reason);
  };

  /** A connection with a cut direction is given up by both kernels, each in its own time. */
  const starve = (link: Link): void => {
    for (const way of ["up", "down"] as const) {
      schedule.in(random.int(20_000, 120_000), () => {
        if (isCut(link.machine)) hangUp(link, way, 1006, "timed out");
      });
    }
  };

  const close: Network["close"] = (link, by, code, reason) => {
    const own = by === "up" ? link.agent : link.server;
    if (!own.open) return;
    travel(link, by, () => hangUp(link, by, code, reason));
    schedule.in(random.int(1, 30), () => hangUp(link, by === "up" ? "down" : "up", code, reason));
  };

  return {
    close,
    dial: (machine, agent, accept, opened) => {
      schedule.in(random.int(2, 40), () => {
        if (isCut(machine)) {
          schedule.in(random.int(1_000, 8_000), () => opened(null));
          return;
        }
        const link: Link = { id: ids++, machine, agent, server: { open: true, hear: () => undefined, closed: () => undefined },
          busy_until_ms: { up: 0, down: 0 } };
        const server = accept(link);
        if (server === null) return opened(null);
        Object.assign(link.server, server);
        agent.open = true;
        links.add(link);
        opened(link);
      });
    },
    send: (link, way, data) => {
      const from = way === "up" ? link.agent : link.server, to = way === "up" ? link.server : link.agent;
      if (!from.open) return false;
      if (way === "down" && !healed && random.chance(faults.drop)) return false;
      const ghost = !healed && random.chance(faults.ghost);
      const hear = (): void => {
        if (to.open || ghost) to.hear(data);
      };
      travel(link, way, hear);
      if (!healed && REPEATED.test(data) && random.chance(faults.double)) travel(link, way, hear);
      return true;
    },
    breakEnds: (which, way) => {
      for (const link of [...links]) {
        if (!which(link)) continue;
        const own = way === "up" ? link.agent : link.server;
        own.open = false;
        travel(link, way, () => hangUp(link, way, 1006, "the other end died"));
      }
    },
    breakLinks: (machine) => {
      for (const link of [...links]) {
        if (link.machine !== machine) continue;
        for (const way of ["up", "down"] as const) schedule.in(random.int(1, 5_000), () => hangUp(link, way, 1006, "broken"));
      }
    },
    cut: (machine, way) => {
      for (const one of way === "both" ? (["up", "down"] as const) : [way]) cuts.add(`${machine}/${one}`);
      for (const link of links) if (link.machine === machine) starve(link);
    },
    mend: (machine) => {
      for (const way of ["up", "down"] as const) {
        const key = `${machine}/${way}`;
        if (!cuts.delete(key)) continue;
        const waiting = held.get(key) ?? [];
        held.delete(key);
        for (const deliver of waiting) schedule.in(1, deliver);
      }
    },
    isCut,
    heal: () => {
      healed = true;
    },
  };
}
