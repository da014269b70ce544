// An agent's cards on a simulated machine: the real CardStates, over looks that take time and show what is there. Ended
// tasks leave memory for a while, or a process that can be killed.

import { CardStates } from "../../src/agent/cards/card-states";
import { keptOf, recalled, type KnownCard } from "../../src/agent/cards/kept";
import type { CardRules } from "../../src/agent/cards/watch";
import { blockOf, stateOf } from "../../src/core/agent/card-shown";
import type { CardUser } from "../../src/core/agent/card-users";
import type { Device } from "../../src/core/model/device";
import type { TaskRecord } from "../../src/core/model/record";
import { GIB, MIB } from "../../src/core/units";
import { cardFor } from "../support/cards";
import type { AgentWorld } from "./agent";
import type { Machine, Process, Remain } from "./machine";
import type { Random } from "./random";
import type { Schedule } from "./schedule";
import { demand } from "./violation";

const IDLE_BYTES = 300 * MIB;
const WHOLE_USE_BYTES = 10 * GIB;
const LOOK_AGAIN_MS = 1_000;

/** Lets some tasks leave something on their cards: memory that disappears by itself, or a process that stays longer. */
export function leaveRemains(
  machine: Machine,
  { uid, assignment, pid }: Process,
  random: Random,
  when: Schedule,
): void {
  for (const { id, bytes } of assignment.promised.devices) {
    if (!random.chance(0.4)) continue;
    const killable = random.chance(0.5);
    const remain = { id, uid, name: assignment.name, pid, bytes: bytes ?? WHOLE_USE_BYTES, killable };
    machine.remains = [...machine.remains, remain];
    when.in(random.int(0, killable ? 120_000 : 20_000), () => removeRemain(machine, remain));
  }
}

export function removeRemain(machine: Machine, remain: Remain): void {
  machine.remains = machine.remains.filter((one) => one !== remain);
}

/** I4: nothing is started on a card that still holds the remains of a task whose end this agent knows. */
export function checkClean(machine: Machine, record: TaskRecord): void {
  const ids = new Set(record.assignment.promised.devices.map(({ id }) => id));
  // Where records were lost with a disk, nobody can know whose the remains are, and they count as foreign.
  const left = machine.remains.filter(({ id, uid }) => ids.has(id) && machine.known_ends.has(uid));
  demand(
    left.length === 0,
    "I4: a card is handed over clean",
    () => `${record.assignment.name} on ${left[0]?.id ?? ""}, where ${left[0]?.name ?? ""} has left something`,
  );
}

export interface SimCards extends CardRules {
  devices(): Device[];
}

interface Looks {
  /** Returns how many looks have begun. */
  begun(): number;
  soon(): void;
}

/** Makes looks that take time in the agent's own process. `took` says whether there is a reason to look again soon. */
function makeLooks(
  { random, schedule }: AgentWorld,
  machine: Machine,
  took: (n: number, at_ms: number, shown: readonly Shown[]) => boolean,
): Looks {
  let [begun, looking, again] = [0, false, false];
  const look = (): void => {
    looking = true;
    const [n, at_ms] = [++begun, schedule.now_ms + machine.clocks.boot_ms];
    const shown = machine.devices.map((device) => shownOf(machine, device));
    const done = (): void => {
      const more = took(n, at_ms, shown);
      looking = false;
      if (again || more) setTimeout(look, again ? 1 : LOOK_AGAIN_MS);
      again = false;
    };
    // A library under load takes its time.
    setTimeout(done, random.chance(0.3) ? random.int(30, 3_000) : random.int(1, 30));
  };
  return {
    begun: () => begun,
    soon: () => {
      if (looking) again = true;
      else look();
    },
  };
}

function openStates(world: AgentWorld, { disk, boot_id, clocks }: Machine): CardStates {
  const clock = (): number => world.schedule.now_ms + clocks.boot_ms;
  const { boot_id: kept_boot, cards: kept } = disk.cards;
  const keep = (cards: Iterable<KnownCard>): void => {
    disk.cards = { boot_id, cards: [...cards].map(keptOf) };
  };
  const cards = recalled(kept, kept_boot === boot_id, clock());
  return new CardStates({
    clock,
    user: "root",
    say: world.note,
    kept: { cards, health: NO_MEMORY },
    keeping: { keep },
  });
}

/**
 * Makes the cards. `changed` is called in the agent's own process when something is to be reported or can be started.
 */
export function makeSimCards(world: AgentWorld, machine: Machine, changed: () => void): SimCards {
  const states = openStates(world, machine);
  const looks = makeLooks(world, machine, (n, at_ms, shown) => {
    const before = JSON.stringify(states.admission());
    const cards = shown.map(cardOf);
    shown.forEach(({ users }, i) => {
      const card = cards[i];
      if (card === undefined) return;
      const sight = { n, at_ms, used_bytes: card.memory_used_bytes, users: users.map((one) => known(one, states)) };
      for (const left of states.see(card, cards, sight, [])) reap(world, machine, left);
    });
    states.keep(NO_MEMORY);
    if (JSON.stringify(states.admission()) !== before) changed();
    return states.all().some(({ card }) => card.gate.is === "closed");
  });
  const blockedBy = (device: Device): string | null => {
    if (device.state !== "ok") return `is ${device.state}`;
    const card = states.get(device.id)?.card;
    return card === undefined ? "was not looked at yet" : blockOf(card);
  };
  return {
    gate(living) {
      if (machine.devices.length === 0) return [];
      const first = !states.knowsTasks();
      const { freed } = states.take(living(), looks.begun);
      states.keep(NO_MEMORY);
      if (first || freed.size > 0) looks.soon();
      return machine.devices.map((device) => ({ ...device, blocked: blockedBy(device) }));
    },
    verdicts: () => new Map(),
    blames: () => new Map(),
    devices: () =>
      machine.devices.map((device) => {
        const card = states.get(device.id)?.card;
        if (device.state !== "ok" || card === undefined) return device;
        return { ...device, ...stateOf(card, world.schedule.now_ms + machine.clocks.boot_ms) };
      }),
  };
}

const NO_MEMORY = { log: null, overrides: {} };

interface Shown {
  readonly device: Device;
  readonly users: readonly CardUser[];
  /** Memory that belongs to no visible process. */
  readonly stray_bytes: number;
}

const user = (uid: string, name: string, pid: number, bytes: number): CardUser => ({
  pid,
  user: "root",
  command: "sim",
  memory_bytes: bytes,
  task_uid: uid,
  start: "1",
  began_ms: 0,
  task: { uid, name, lives: true },
});

/** Returns what a card shows now. */
function shownOf({ processes, remains }: Machine, device: Device): Shown {
  const living = [...processes.values()].flatMap(({ uid, pid, assignment }) =>
    assignment.promised.devices
      .filter(({ id }) => id === device.id)
      .map(({ bytes }) => user(uid, assignment.name, pid, bytes ?? WHOLE_USE_BYTES)),
  );
  const left = remains.filter(({ id }) => id === device.id);
  const users = left.filter(({ killable }) => killable).map(({ uid, name, pid, bytes }) => user(uid, name, pid, bytes));
  const stray_bytes = left.reduce((sum, { killable, bytes }) => sum + (killable ? 0 : bytes), 0);
  return { device, users: [...living, ...users], stray_bytes };
}

function cardOf({ device, users, stray_bytes }: Shown) {
  const used = users.reduce((sum, { memory_bytes }) => sum + (memory_bytes ?? 0), IDLE_BYTES + stray_bytes);
  return cardFor(device.id, { ...device, driver: "1", memory_used_bytes: used });
}

/** Returns whose a process is, as the agent knows it at that time. */
function known(one: CardUser, states: CardStates): CardUser {
  const { living, past } = states.tasks();
  const lives = living.some(({ uid }) => uid === one.task_uid);
  const name = past.get(one.task_uid ?? "")?.name;
  if (one.task_uid === null || (!lives && name === undefined)) return { ...one, task: null, task_uid: null };
  return { ...one, task: { uid: one.task_uid, name: name ?? "", lives } };
}

function reap(world: AgentWorld, machine: Machine, left: CardUser): void {
  const remain = machine.remains.find(
    ({ uid, pid, killable }) => killable && uid === left.task_uid && pid === left.pid,
  );
  if (remain !== undefined) world.schedule.in(world.random.int(1, 300), () => removeRemain(machine, remain));
}
