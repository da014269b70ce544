// Every condition that a node must meet for a slot, each with its reason in words and whether time can ever help.

import { isShunned, isUnable } from "../pass/contact";
import { sayDraining } from "../pass/drain";
import { formatAge, formatLabelCheck } from "../format";
import { found, type Found, type Tell } from "./found";
import { foundLeftOut } from "./left-out";
import type { NodeRow } from "../model/rows-node";
import { formatTaint, isTolerated, keepsAway, labelHolds } from "./labels";
import { waitsForApproval } from "../nodes/tests";
import type { Pass } from "../pass/pass";
import { against, type Need } from "../pass/presence";
import { checkAmounts, checkCountables } from "./amounts";
import { checkGpu, hasCards } from "./card-checks";
import {
  askForPool,
  dropApart,
  dropHosts,
  dropLabels,
  dropTogether,
  goWithout,
  publishAnother,
  tolerate,
} from "./request-changes";
import { countOn, isAnywhere } from "./company";
import { choosePorts, type Room } from "./room";
import type { Look } from "./shape";
import { SECOND_MS, type Ms } from "../units";

/**
 * Returns null if a node meets a condition, else a function that words what fails. Most results only count, so the
 * words are made when somebody reads them.
 */
type CheckOne = (look: Look, room: Room) => Tell | null;

/** Checks whose results stay the same during a pass, whatever the pass places. */
const FIXED: readonly CheckOne[] = [
  checkState,
  checkPool,
  checkHost,
  checkLabels,
  checkTaints,
  checkAccount,
  checkEnvironment,
  checkWorkdir,
  checkStdin,
  checkArray,
  checkLeftOut,
];

/**
 * Checks of amounts, ports and company, whose results change with what the pass places. Cards have checks of their own:
 * `checkGpu` gives the reasons, `hasCards` only says yes or no.
 */
const MOVING: readonly CheckOne[] = [
  checkCountables,
  checkAmounts("cpu"),
  checkAmounts("memory"),
  checkAmounts("disk"),
  checkPorts,
  checkApart,
  checkTogether,
];

/** Returns whether a node may be considered at all. */
export const isCandidate = (look: Look, room: Room): boolean => FIXED.every((check) => check(look, room) === null);

/** Returns whether a candidate has room now. `hasCards` stands here for `checkGpu`, since nobody reads the reasons. */
export const hasRoom = (look: Look, room: Room): boolean =>
  hasCards(look, room) && MOVING.every((check) => check(look, room) === null);

/** Returns everything that keeps a slot from a node. */
export function findings(look: Look, room: Room): Found[] {
  const all: Found[] = [];
  for (const checks of [FIXED, [checkGpu], MOVING]) {
    for (const check of checks) {
      const failed = check(look, room);
      if (failed !== null) all.push(failed());
    }
  }
  return all;
}

/** A node and everything that keeps a slot from it. */
export interface Candidacy {
  readonly room: Room;
  readonly found: readonly Found[];
}

export const examine = (look: Look): Candidacy[] =>
  look.rooms.list.map((room) => ({ room, found: findings(look, room) }));

function checkState(look: Look, room: Room): Tell | null {
  return room.fact.usable ? null : () => tellState(look, room);
}

function tellState({ pass }: Look, { fact, node }: Room): Found {
  if (node.admission === "joining") {
    return found("state", "wait for approval", { detail: waitsForApproval(node.name) });
  }
  if (node.contact !== "connected") return silent(node.contact, fact.silence_ms);
  if (!fact.heard) return found("state", "are not connected yet");
  if (node.admission !== "ready") return untested(pass, node);
  if (isUnable(node)) {
    const why = node.facts.unable ?? "";
    return found("state", `can take no tasks: ${why}`, { detail: `can take no tasks: ${why}` });
  }
  if (isShunned(pass.snapshot, node)) {
    return found("state", "are left out, since a placement there broke a law of the server");
  }
  return found("state", "are being drained", { detail: sayDraining(node) ?? "cannot be used" });
}

function untested(pass: Pass, { admission, testing, tests }: NodeRow): Found {
  if (admission === "testing") {
    const age_ms = testing === null ? 0 : pass.now_ms - testing.at_ms;
    return found("state", "are being tested", { detail: `is being tested since ${formatAge(age_ms)}` });
  }
  const why = admission === "quarantined" && tests !== null ? `: ${tests.reason ?? "its tests failed"}` : "";
  return found("state", `are ${admission}`, { detail: `is ${admission}${why}` });
}

/**
 * Returns when the words about a node that is being tested should be renewed, at growing intervals; null if it is not
 * being tested.
 */
export function saidAgainAt({ now_ms }: Pass, { fact: { heard }, node }: Room): Ms | null {
  if (!heard || node.admission !== "testing") return null;
  const age_ms = node.testing === null ? 0 : now_ms - node.testing.at_ms;
  return now_ms + Math.max(SECOND_MS, Math.ceil(age_ms / 4));
}

const silent = (contact: string, silence_ms: Ms): Found =>
  found("state", `are ${contact}`, { detail: `is ${contact}, silent for ${formatAge(silence_ms)}` });

function checkPool({ shape }: Look, { node }: Room): Tell | null {
  const pool = shape.spec.place.pool ?? "default";
  if (node.pool === pool) return null;
  return () =>
    found("pool", `are not in pool ${pool}`, {
      hopeless: true,
      detail: `is in pool ${node.pool}, not ${pool}`,
      change: askForPool(node.pool),
    });
}

function checkHost({ shape }: Look, { node }: Room): Tell | null {
  const { hosts } = shape.spec.place;
  if (hosts.length === 0 || hosts.includes(node.name)) return null;
  return () =>
    found("host", "are not among its hosts", {
      hopeless: true,
      detail: `is not one of ${hosts.join(", ")}`,
      change: dropHosts(),
    });
}

function checkLabels({ shape }: Look, { node }: Room): Tell | null {
  const missing = shape.spec.place.labels.filter((check) => !labelHolds(check, node));
  if (missing.length === 0) return null;
  const text = missing.map(formatLabelCheck).join(" and ");
  const isLacked = missing.every(({ op }) => op === "in" || op === "exists");
  return () =>
    found("label", `${isLacked ? "lack" : "are excluded by"} ${text}`, {
      hopeless: true,
      change: dropLabels(missing, text),
    });
}

function checkTaints({ shape }: Look, { node }: Room): Tell | null {
  const tolerated = shape.spec.place.tolerate;
  const against = node.taints.filter((taint) => keepsAway(taint) && !isTolerated(taint, tolerated));
  if (against.length === 0) return null;
  const text = against.map(formatTaint).join(" and ");
  return () =>
    found("taint", `are tainted ${text}`, {
      hopeless: true,
      change: tolerate(against),
    });
}

/** An agent that is not root runs only the tasks of its own account, unless all tasks share one account there. */
function checkAccount({ pass, shape }: Look, { node }: Room): Tell | null {
  const { unix_user, accounts } = node.facts;
  const { account } = shape;
  if (accounts === "shared") return null;
  if (account.is === "none") {
    return () => found("account", `have no account for it: ${account.why}`, { hopeless: true, detail: account.why });
  }
  if (unix_user === account.name) return null;
  if (unix_user === "root") return checkPresence(pass, node, "account", shape.needs.account);
  return () =>
    found("account", `take no tasks of account ${account.name}`, {
      hopeless: true,
      detail: `its agent runs as ${unix_user} and takes no tasks of account ${account.name}`,
    });
}

function checkEnvironment({ pass, shape }: Look, { node }: Room): Tell | null {
  return checkPresence(pass, node, "environment", shape.needs.environment);
}

function checkWorkdir({ pass, shape }: Look, { node }: Room): Tell | null {
  return checkPresence(pass, node, "workdir", shape.needs.workdir);
}

/** Checks what the node says of something that the task needs to find. */
function checkPresence(
  { snapshot: { presences } }: Pass,
  { id }: NodeRow,
  check: "account" | "environment" | "workdir",
  need: Need | null,
): Tell | null {
  const state = need === null ? null : against(presences, id, need);
  if (need === null || state === null) return null;
  const what = need.path ?? `account ${need.account}`;
  if (state === "unsaid") return () => found(check, `have not said yet whether there is ${what}`);
  if (state === "silent") return () => found(check, `do not answer about ${what}`);
  const reasons = {
    missing: `have no ${what}`,
    no_directory: `have something else than a directory at ${what}`,
    closed: `have a ${what} that ${need.account} may not enter`,
  };
  return () => found(check, reasons[state], { hopeless: true, change: check === "account" ? null : goWithout(check) });
}

/** An agent of an earlier release would give the task an empty input. */
function checkStdin({ shape }: Look, { node }: Room): Tell | null {
  if (!shape.has_stdin || node.facts.takes_stdin === true) return null;
  return () =>
    found("stdin", "have an agent of an earlier release, which gives tasks no standard input", {
      hopeless: true,
      detail: "its agent is of an earlier release, which gives tasks no standard input",
    });
}

/** An agent of an earlier release would run the command once, and no element. */
function checkArray({ shape }: Look, { node }: Room): Tell | null {
  if (!shape.is_array || node.facts.takes_arrays === true) return null;
  return () =>
    found("array", "have an agent of an earlier release, which runs no arrays", {
      hopeless: true,
      detail: "its agent is of an earlier release, which runs no arrays",
    });
}

function checkLeftOut({ pass, shape }: Look, { node }: Room): Tell | null {
  const entry = shape.left_out.get(node.id);
  return entry === undefined ? null : () => foundLeftOut(entry, shape.spec, pass.now_ms);
}

function checkPorts({ pass, rooms, shape }: Look, room: Room): Tell | null {
  const chosen = choosePorts(pass, rooms, room, shape.spec.ports);
  if (chosen.is === "chosen") return null;
  const { port, resting } = chosen.trouble;
  if (port === null) return () => found("port", "have no automatic port left");
  return () =>
    found("port", `have port ${port} ${resting ? "resting after its last use" : "in use"}`, {
      detail: `port ${port} is ${resting ? "resting after its last use" : "in use"}`,
      change: publishAnother(port),
    });
}

/** Returns the workload's name in a host key. */
const nameOf = (key: string): string => key.slice(key.lastIndexOf("/") + 1);

function checkApart({ pass, rooms, shape }: Look, room: Room): Tell | null {
  for (const key of shape.apart) {
    const own = key === shape.host_key ? (shape.own?.get(room.node.id) ?? 0) : 0;
    if (countOn(pass, rooms, room, key).all <= own) continue;
    const name = nameOf(key);
    const asked = shape.spec.place.apart_from.includes(name);
    return () =>
      found("apart", `have a task of ${name}`, {
        detail: `has a task of ${name}, which it keeps apart from`,
        change: asked ? dropApart(name) : null,
      });
  }
  return null;
}

function checkTogether({ pass, rooms, shape }: Look, room: Room): Tell | null {
  for (const { key, first } of shape.together) {
    const name = nameOf(key);
    if (!isAnywhere(pass, rooms, key)) {
      if (first) return () => found("together", `wait for the first task of ${name}`);
    } else if (countOn(pass, rooms, room, key).wanted === 0) {
      return () =>
        found("together", `have no task of ${name}`, {
          change: dropTogether(name),
        });
    }
  }
  return null;
}
