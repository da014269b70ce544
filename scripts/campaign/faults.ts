// What a campaign does to its machines: kills of server, agents and keepers, and beside them frozen disks, cut networks
// and clocks that step. A fault that lasts is healed by the time that it says.

import { pause } from "../../src/os/clock";
import { isAlive } from "../../test/support/processes";
import type { Dice } from "../../test/support/random";
import { waitUntil } from "../../test/support/wait";
import type { Field, Host } from "./field";

/** What was done, counted by name. */
export type Done = Map<string, number>;

const LASTING = ["frozen disk", "cut network", "clock step"] as const;

/** Longer than the silence after which a service is replaced, and shorter than a person's patience. */
const LONGEST_FAULT_MS = 14_000;
const STEPS = ["+2h", "-2h", "+90s", "-90s", "+3d", "+0s"];

const count = (done: Done, name: string): void => {
  done.set(name, (done.get(name) ?? 0) + 1);
};

function killNow(pid: number | null): void {
  if (pid !== null && isAlive(pid)) process.kill(pid, "SIGKILL");
}

async function killAgent(field: Field, host: Host): Promise<void> {
  await field.cluster.agent(host.name).kill("SIGKILL");
  await field.startAgent(host, false);
}

/** Kills one part at once and starts again what does not start by itself. */
export async function killOne(field: Field, dice: Dice, busy: ReadonlySet<Host>, done: Done): Promise<void> {
  const free = field.hosts.filter((host) => !busy.has(host));
  const roll = dice.below(20);
  const host = free.length === 0 ? null : dice.pick(free);
  const keeper = host === null ? null : field.keeperOf(host);
  if (host === null || roll < 10 || (roll >= 16 && keeper === null)) {
    count(done, "server");
    await field.cluster.server?.kill("SIGKILL");
    await field.startServer();
  } else if (roll < 16) {
    count(done, "agent");
    await killAgent(field, host);
  } else {
    count(done, roll < 19 ? "keeper" : "agent and keeper");
    killNow(keeper);
    if (roll === 19) await killAgent(field, host);
  }
}

/** Begins a fault that lasts on one host, and heals it. The host is `busy` meanwhile. */
export async function lastingFault(field: Field, dice: Dice, busy: Set<Host>, done: Done): Promise<void> {
  const free = field.hosts.filter((host) => !busy.has(host));
  if (free.length === 0) return;
  const host = dice.pick(free);
  const what = dice.pick(LASTING);
  count(done, what);
  if (what === "clock step") {
    field.setClock(host, dice.pick(STEPS));
    return;
  }
  busy.add(host);
  try {
    if (what === "cut network") field.cut(host);
    else field.freeze(host);
    await pause(1_000 + dice.below(LONGEST_FAULT_MS));
  } finally {
    if (what === "cut network") field.join(host);
    else field.thaw(host);
    busy.delete(host);
  }
}

/** Heals everything: every agent lives, every clock is right, every node is ready. */
export async function healAll(field: Field): Promise<void> {
  for (const host of field.hosts) {
    field.setClock(host, "+0s");
    if (!field.cluster.agent(host.name).running) await field.startAgent(host, false);
  }
  await waitUntil(
    "all nodes to be ready",
    async () => {
      const nodes = await field.cluster.nodes();
      return field.hosts.every(({ name }) => nodes.some((node) => node.name === name && node.state === "ready"));
    },
    90_000,
  );
}
