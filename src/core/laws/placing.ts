// Laws of what the plan has just placed: it was wanted, its node was fit, and no promise goes beyond what there is.
// They judge new placements only. A machine may lose capacity under its tasks, and adopted tasks and orphans count as
// holders but are not judged.

import type { NodeDevice } from "../model/device";
import { isHeir } from "../model/heirs";
import { isFinal } from "../model/lifecycle";
import type { Amounts, Promised } from "../model/promised";
import { freeOf, take } from "../model/resources";
import type { NodeRow } from "../model/rows-node";
import type { State } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { WorkloadRow } from "../model/rows-work";
import { slotsEnd } from "../model/slots";
import { slotKey } from "../model/task";
import { isGranted } from "../model/account";
import { unknownEnds } from "../model/unknown";
import { type Law, linesOf } from "./law";
import type { MomentRows } from "./moment";
import { sayTask } from "./tasks";

export const PLACING_LAWS: readonly Law[] = [
  {
    name: "attempts-rise",
    says: "a new attempt has a number above every one that its slot has used or granted",
    broken: (look) =>
      linesOf(look.sample, (task) => {
        const used = look.before.slots.get(slotKey(task.owner_uid, task.slot))?.attempts ?? 0;
        return task.attempt > used ? null : `${sayTask(task)} comes after attempt ${used}`;
      }),
  },
  {
    name: "unknown-ends-wait",
    says: "a job whose end nobody knows is placed again only by a person's word or by its own policy",
    broken: (look) =>
      linesOf(look.sample, (task) => {
        const policy = look.before.runs.get(task.owner_uid)?.settings.on_unknown_end ?? "ask";
        if (task.kind !== "job" || policy === "retry") return null;
        const [end] = unknownEnds(look.before.slots.get(slotKey(task.owner_uid, task.slot)));
        return end === undefined ? null : `${sayTask(task)} comes after attempt ${end.attempt}, whose end is unknown`;
      }),
  },
  {
    name: "one-attempt-a-slot",
    says: "an attempt is placed beside another of its slot only where that is replaced, moves, or was given up",
    broken: (look) => (look.scans ? linesOf(look.sample, (task) => crowded(look, task)) : []),
  },
  {
    name: "placed-where-fit",
    says: "a task is placed on a node that is connected, ready and to be used, for the boot that it is in",
    broken: (look) =>
      linesOf(look.sample, (task) => {
        const why = unfit(look, task);
        return why === null ? null : `${sayTask(task)}: ${why}`;
      }),
  },
  {
    name: "placed-as-wanted",
    says: "a task is placed for what somebody wants, of its newest version and spec",
    broken: (look) =>
      linesOf(look.sample, (task) => {
        const why = unwanted(look, task);
        return why === null ? null : `${sayTask(task)}: ${why}`;
      }),
  },
  {
    name: "node-capacity",
    says: "what is placed on a node fits into its cores, memory, disk and countables beside all that is promised there",
    ...eachNode(overbooked),
  },
  {
    name: "card-capacity",
    says: "a card is there, a whole one has one owner, and shares of one fit into its memory",
    ...eachNode(overdealt),
  },
  {
    name: "granted-account",
    says: "a task is placed under no account, its owner's own, or one that its owner was granted",
    broken: ({ sample, after }) =>
      linesOf(sample, (task) => {
        const owner = after.users.get(task.user);
        if (task.unix_user === null || (owner !== undefined && isGranted(owner, task.unix_user))) return null;
        return `${sayTask(task)} under ${task.unix_user}, which ${task.user} has not`;
      }),
  },
  {
    name: "ports-unique",
    says: "no two tasks of a machine publish the same port to the same side",
    ...eachNode(doublePorts),
  },
];

function crowded(look: MomentRows, task: TaskRow): string | null {
  const there = look.ofSlots().get(task.owner_uid)?.get(task.slot) ?? [];
  const others = there.length < 2 ? [] : there.filter((other) => other.uid !== task.uid);
  if (others.length === 0) return null;
  // An array has many batches at once, each with elements of its own.
  if (task.batch !== null && others.every(({ batch }) => batch !== null)) return null;
  const same = others.find((other) => other.attempt === task.attempt && other.member === task.member);
  if (same !== undefined) return `${sayTask(task)} and ${sayTask(same)} have one number`;
  const beside = others.filter((other) => other.attempt !== task.attempt && !isGoing(look, other));
  const wrong =
    task.kind === "job" || task.exclusive || beside.length > 1
      ? beside[0]
      : beside.find((other) => other.exclusive || (other.version === task.version && mustStay(look, other)));
  return wrong === undefined ? null : `${sayTask(task)} beside ${sayTask(wrong)}, which is ${wrong.observed.state}`;
}

/** Returns whether a task was written off, or told to stop by this transaction. */
const isGoing = ({ before }: MomentRows, task: TaskRow): boolean =>
  task.written_off !== null || (task.desired === "stop" && before.tasks.get(task.uid)?.desired !== "stop");

/**
 * Returns whether an attempt has no reason to leave its node. A task with cards may always have one, since a card may
 * be bad, and so may a task on a node with a taint that moves work away, since laws do not read what it tolerates.
 */
function mustStay({ after }: MomentRows, { node_id, promised }: TaskRow): boolean {
  const node = after.nodes.get(node_id);
  return promised.devices.length === 0 && node !== undefined && !isLeaving(node) && !movesAway(node);
}

const movesAway = ({ taints }: NodeRow): boolean => taints.some(({ effect }) => effect === "no_execute");

const isLeaving = ({ drain, leaving }: NodeRow): boolean => leaving !== null || drain !== null;

function unfit({ after }: MomentRows, task: TaskRow): string | null {
  if (after.cluster.recovering !== null) return "the server is recovering";
  const node = after.nodes.get(task.node_id);
  if (node === undefined) return "there is no such node";
  if (node.contact !== "connected") return `the node is ${node.contact}`;
  if (node.admission !== "ready") return `the node is ${node.admission}`;
  if (isLeaving(node)) return "the node gives its work away";
  const { unable = null } = node.facts;
  if (unable !== null) return `the node can begin no task: ${unable}`;
  return node.boot_id === task.boot_id ? null : `the node is in boot ${node.boot_id}`;
}

function unwanted({ after }: MomentRows, task: TaskRow): string | null {
  const run = after.runs.get(task.owner_uid);
  const owner = run ?? after.workloads.get(task.owner_uid);
  if (owner === undefined) return "it has no owner";
  if (run !== undefined && run.state !== "running") return `its run is ${run.state}`;
  if (run !== undefined && (run.cancel !== null || isFinal(run.state))) return "its run was cancelled";
  if ("removing" in owner && owner.removing) return "its workload is being removed";
  if ("without" in owner && owner.kind === "service" && !hasSlot(owner, task.slot)) return "its service lacks the slot";
  const same = owner.version === task.version && owner.spec_hash === task.spec_hash;
  return same ? null : `version ${owner.version} is wanted, it has ${task.version}`;
}

const hasSlot = (service: WorkloadRow, slot: number): boolean =>
  slot < slotsEnd(service) && service.without?.includes(slot) !== true;

// ---- what is promised

/** What a task or orphan holds on a node. */
interface Holding {
  readonly name: () => string;
  readonly held: Promised;
  readonly node: NodeRow;
  readonly uid: string;
}

/**
 * A node on which something was placed, with all that is held there, and all that is held on other agents of its
 * machine.
 */
interface Booked {
  readonly node: NodeRow;
  readonly placed: readonly TaskRow[];
  readonly here: readonly Holding[];
  readonly beside: readonly Holding[];
}

/** Makes a rule of one that each node keeps by itself. */
function eachNode(lines: (booked: Booked) => readonly string[]): Pick<Law, "broken" | "nodes"> {
  return {
    broken: (look) => bookedOf(look).flatMap(lines),
    nodes: (look) => bookedOf(look).flatMap((booked) => (lines(booked).length > 0 ? [booked.node.id] : [])),
  };
}

const known = new WeakMap<MomentRows, readonly Booked[]>();

/** Returns the nodes on which a transaction has placed something. The list is built once for all laws. */
function bookedOf(look: MomentRows): readonly Booked[] {
  let booked = known.get(look);
  if (booked === undefined) known.set(look, (booked = book(look)));
  return booked;
}

function book(look: MomentRows): Booked[] {
  const { after, sample } = look;
  if (!look.scans || sample.length === 0) return [];
  const byNode = new Map<string, TaskRow[]>();
  for (const task of sample) {
    const there = byNode.get(task.node_id);
    if (there === undefined) byNode.set(task.node_id, [task]);
    else there.push(task);
  }
  const holdings = new Map<string, readonly Holding[]>();
  const machines = new Map<string, NodeRow[]>();
  for (const [id, tasks] of look.onNodes()) {
    const node = after.nodes.get(id);
    if (node === undefined) continue;
    holdings.set(id, holdingsOn(after, node, tasks));
    const agents = machines.get(node.fingerprint);
    if (agents === undefined) machines.set(node.fingerprint, [node]);
    else agents.push(node);
  }
  return [...byNode].flatMap(([id, tasks]): Booked[] => {
    const node = after.nodes.get(id);
    if (node === undefined) return [];
    const others = (machines.get(node.fingerprint) ?? []).filter((other) => other.id !== id);
    const beside = others.flatMap((other) => holdings.get(other.id) ?? []);
    return [{ node, placed: tasks, here: holdings.get(id) ?? [], beside }];
  });
}

function holdingsOn(after: State, node: NodeRow, tasks: readonly TaskRow[]): Holding[] {
  const all = tasks
    .filter((task) => !isHeir(task, after.tasks))
    .map((task): Holding => ({ name: () => sayTask(task), held: task.promised, node, uid: task.uid }));
  for (const { uid, name, held } of node.orphans) {
    // An orphan whose uid is a known task's counts as that task.
    if (held !== null && !after.tasks.has(uid)) all.push({ name: () => `${name}, an orphan`, held, node, uid });
  }
  return all;
}

const AMOUNTS = ["cpu_milli", "memory_bytes", "disk_bytes"] as const satisfies readonly (keyof Amounts)[];

/**
 * Returns the amounts that a new placement takes a part of and that are promised beyond the node's capacity. The plan
 * counts in the same way, so that both see the same room.
 */
function overbooked({ node, placed, here }: Booked): string[] {
  const free = freeOf(node.capacity);
  for (const { held } of here) take(free, held);
  const check = (what: string, left: number, of: (held: Promised) => number): string[] =>
    left < 0 && placed.some(({ promised }) => of(promised) > 0)
      ? [`${node.name} has ${-left} ${what} less than are promised`]
      : [];
  const names = new Set(placed.flatMap(({ promised }) => Object.keys(promised.countables)));
  return [
    ...AMOUNTS.flatMap((key) => check(key, free[key], (held) => held[key])),
    ...[...names].flatMap((name) => check(name, free.countables?.get(name) ?? 0, (held) => held.countables[name] ?? 0)),
  ];
}

/** Returns whether a node has this card undivided: the card is among the node's devices, and no part of it is. */
const deals = ({ devices }: NodeRow, id: string): boolean =>
  devices.some((device) => device.id === id) && !devices.some((device) => device.parent === id);

function overdealt({ node, placed, here, beside }: Booked): string[] {
  const ids = new Set(placed.flatMap(({ promised }) => promised.devices.map(({ id }) => id)));
  return linesOf(ids, (id) => {
    const device: NodeDevice | undefined = node.devices.find((one) => one.id === id);
    if (device === undefined || device.state === "missing") return `${node.name} has no card ${id}`;
    const near = beside.filter((holding) => holding.node.boot_id === node.boot_id && deals(holding.node, id));
    const holders = [...here, ...(deals(node, id) ? near : [])].flatMap(({ held, name }) =>
      held.devices.filter((one) => one.id === id).map(({ bytes }) => ({ bytes, name })),
    );
    const whole = holders.some(({ bytes }) => bytes === null);
    const sum = holders.reduce((total, { bytes }) => total + (bytes ?? 0), 0);
    if ((!whole || holders.length === 1) && sum <= device.memory_bytes) return null;
    return `${id} of ${node.name} is promised to ${holders.map(({ name }) => name()).join(", ")}`;
  });
}

function doublePorts({ node, placed, here, beside }: Booked): string[] {
  const wanted = placed.filter(({ promised }) => promised.ports.length > 0);
  if (wanted.length === 0) return [];
  const taken = new Map<string, Holding[]>();
  for (const holding of [...here, ...beside]) {
    for (const { published, bind } of holding.held.ports) {
      const key = `${published}/${bind}`;
      taken.set(key, [...(taken.get(key) ?? []), holding]);
    }
  }
  return wanted.flatMap((task) =>
    linesOf(task.promised.ports, ({ published, bind }) => {
      const other = (taken.get(`${published}/${bind}`) ?? []).find(({ uid }) => uid !== task.uid);
      return other === undefined
        ? null
        : `${sayTask(task)} and ${other.name()} on ${node.name}: ${bind} port ${published}`;
    }),
  );
}
