// Runs the real shells inside the simulator: their timers run on virtual time, and belong to a process that can be
// killed (its timers never fire again), stopped (they wait) and woken. Promises are settled before time goes on.

import { drainMicrotasks } from "bun:jsc";
import type { Schedule } from "./schedule";

/** A process: a server or an agent. Its code runs only while it runs. */
export interface Owner {
  readonly name: string;
  state: "running" | "paused" | "dead";
  readonly backlog: (() => void)[];
}

export interface Host {
  /** Runs `what` inside a process: now, or when the process is woken, or never if it is dead. */
  enter(owner: Owner, what: () => void): void;
  current(): Owner | null;
  wake(owner: Owner): void;
  /** Replaces the real timers by virtual ones. Returns a function that restores them. */
  install(): () => void;
}

export const newOwner = (name: string): Owner => ({ name, state: "running", backlog: [] });

interface Timer {
  cancelled: boolean;
  ref(): Timer;
  unref(): Timer;
  hasRef(): boolean;
}

const newTimer = (): Timer => {
  const timer: Timer = { cancelled: false, ref: () => timer, unref: () => timer, hasRef: () => true };
  return timer;
};

const cancel = (timer: Timer | null | undefined): void => {
  if (timer !== null && timer !== undefined) timer.cancelled = true;
};

type Callback = (...args: unknown[]) => void;

export function makeHost(schedule: Schedule): Host {
  let current: Owner | null = null;

  const enter = (owner: Owner, what: () => void): void => {
    if (owner.state === "dead") return;
    if (owner.state === "paused") {
      owner.backlog.push(what);
      return;
    }
    if (current === owner) return what();
    // One process runs at a time: promises that are settled inside another process would run in its name.
    if (current !== null) return schedule.in(0, () => enter(owner, what));
    current = owner;
    try {
      what();
      drainMicrotasks();
    } finally {
      current = null;
    }
  };

  const arm = (timer: Timer, delay_ms: number, again_ms: number | null, callback: () => void): Timer => {
    const owner = current;
    if (owner === null) throw new Error("a timer outside any simulated process");
    schedule.in(delay_ms, () => {
      if (timer.cancelled) return;
      enter(owner, () => {
        if (timer.cancelled) return;
        if (again_ms !== null) arm(timer, again_ms, again_ms, callback);
        callback();
      });
    });
    return timer;
  };

  const virtual = {
    setTimeout: (callback: Callback, delay_ms = 0, ...args: unknown[]) =>
      arm(newTimer(), Math.max(1, delay_ms), null, () => callback(...args)),
    setImmediate: (callback: Callback, ...args: unknown[]) => arm(newTimer(), 0, null, () => callback(...args)),
    setInterval: (callback: Callback, every_ms: number, ...args: unknown[]) =>
      arm(newTimer(), every_ms, every_ms, () => callback(...args)),
    clearTimeout: cancel,
    clearInterval: cancel,
    clearImmediate: cancel,
  };

  return {
    enter,
    current: () => current,
    wake: (owner) => {
      if (owner.state !== "paused") return;
      owner.state = "running";
      for (const what of owner.backlog.splice(0)) enter(owner, what);
    },
    install: () => {
      const names = Object.keys(virtual) as (keyof typeof virtual)[];
      const real = Object.fromEntries(names.map((name) => [name, globalThis[name]]));
      Object.assign(globalThis, virtual);
      return () => {
        Object.assign(globalThis, real);
      };
    },
  };
}
