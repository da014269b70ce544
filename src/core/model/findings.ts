// What can be wrong with a card, whose fault it is, and what follows: one table. Operators override single lines of it
// in the server's settings.

import { MINUTE_MS, type Ms } from "../units";

/**
 * `blame`: the task's own fault, named in the reason of its end. `watch`: an event and nothing else. `quarantine`: the
 * card gets no new work until it passes `orch node test`. `ignore`: not even an event.
 */
export type FindingClass = "ignore" | "blame" | "watch" | "quarantine";

export interface FindingRule {
  readonly class: FindingClass;
  /** What the finding means, for people. It is printed behind the finding's name: `XID 79, fallen off the bus`. */
  readonly means: string;
  /** What happens to tasks that have the card. Tasks that cannot go on mostly end by themselves. */
  readonly running: "leave" | "stop";
}

const blame = (means: string): FindingRule => ({ class: "blame", means, running: "leave" });
const watch = (means: string): FindingRule => ({ class: "watch", means, running: "leave" });
const quarantine = (means: string, running: FindingRule["running"] = "leave"): FindingRule => ({
  class: "quarantine",
  means,
  running,
});

/**
 * Keys are a source and a number, or a condition. XIDs follow the actions in NVIDIA's XID catalogue: "restart the
 * application" is the task's own fault, "reset the card" or "the machine" is a quarantine.
 * https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html
 */
export const FINDINGS: Readonly<Record<string, FindingRule>> = {
  "xid 8": blame("the card stopped processing for the task"),
  "xid 11": blame("the task's commands were malformed"),
  "xid 13": blame("the task's own fault on the card, mostly an index out of bounds"),
  "xid 25": blame("the task's commands were malformed"),
  "xid 31": blame("the task's own memory fault"),
  "xid 32": watch("corrupted commands came over the bus"),
  "xid 37": watch("an error of the driver's firmware"),
  "xid 38": watch("an error of the driver's firmware"),
  "xid 39": blame("a copy between memories failed"),
  "xid 40": blame("a copy between memories failed"),
  "xid 41": blame("a copy between memories failed"),
  "xid 43": blame("the task's own fault, and the card stopped it"),
  "xid 44": watch("a fault while the card changed from one task to another"),
  "xid 45": blame("its work on the card was cleaned up after it broke off"),
  "xid 46": quarantine("the card stopped processing and wants a reset"),
  "xid 48": quarantine("an error in its memory that could not be corrected"),
  "xid 54": quarantine("its power cable is not connected"),
  "xid 60": blame("its video unit failed"),
  "xid 62": quarantine("its controller has halted"),
  "xid 63": watch("bad memory was put out of use, or will be at the next reset"),
  "xid 64": quarantine("bad memory could not be put out of use"),
  "xid 66": watch("an illegal access of the driver"),
  "xid 67": watch("an illegal access of the driver"),
  "xid 68": blame("its video decoder failed"),
  "xid 69": blame("the task's commands were of a wrong kind"),
  "xid 74": quarantine("an error on its links to other cards (NVLink)"),
  "xid 78": watch("a virtual card could not be started"),
  "xid 79": quarantine("fallen off the bus", "stop"),
  "xid 80": blame("the task's commands came corrupted"),
  "xid 92": watch("many memory errors, all of them corrected"),
  "xid 93": watch("its stored information is written too often"),
  "xid 94": blame("a memory error of the card that hit only this task; the card wants a reset when it is free"),
  "xid 95": quarantine("a memory error of the card that may have hit every task on it", "stop"),
  "xid 109": quarantine("it could not change from one task to another and wants a reset"),
  "xid 110": quarantine("a fault of its security unit"),
  "xid 119": quarantine("its firmware (GSP) does not answer"),
  "xid 120": quarantine("its firmware (GSP) failed"),
  "xid 121": watch("errors on its link to the processor, all of them corrected"),
  "xid 136": quarantine("its links to other cards could not be trained"),
  "xid 137": blame("the task's own memory fault on another card (NVLink)"),
  "xid 140": quarantine("an error in its memory that could not be put out of use"),
  "xid 143": quarantine("it could not be initialised"),
  "xid 149": quarantine("a link to another card is down (NVLink)"),
  "xid 150": quarantine("its links to other cards failed (NVLink)"),
  "xid 151": quarantine("its keys could not be changed"),
  "xid 154": quarantine("the driver says that it has to be reset, or the machine restarted"),
  "xid 155": watch("a link to another card went down as it was told to (NVLink)"),
  "xid 156": watch("a bad part was put out of use, or will be at the next reset"),
  "xid 157": watch("a bad part could not be put out of use"),
  "xid 158": quarantine("it did not answer in time and wants a reset"),
  "xid 167": quarantine("the bus did not answer in time"),
  "xid 171": watch("bad memory, told beside XID 48"),
  "xid 172": watch("a bad cache, told beside XID 48"),
  "ecc uncorrected": watch("memory errors that could not be corrected"),
  "ecc remap_pending": watch("bad memory is put out of use at the next reset"),
  "ecc remap_failed": quarantine("bad memory could not be put out of use"),
  "ecc pending": watch("a change of its error correction waits for a reset"),
  "bus lost": quarantine("fallen off the bus", "stop"),
  "bus reset": quarantine("it needs a reset"),
  "throttle thermal": watch("slowed down by heat for a while"),
  "throttle power": { class: "ignore", means: "slowed down to stay within its power", running: "leave" },
  "clock low": watch("slower under load than it has been, for no reason that it tells"),
  "probe hung": watch("its driver's library does not answer"),
  "amdgpu timeout": blame("the task's work on the card did not end in time"),
  "amdgpu reset": watch("it was reset by its driver, and everything on it was lost"),
  "amdgpu reset_failed": quarantine("its driver could not reset it", "stop"),
  "amdgpu ras": quarantine("an error in its memory that could not be corrected"),
  "intel hang": blame("the task's work on the card hung"),
  "intel reset": watch("it was reset by its driver, and everything on it was lost"),
  "intel wedged": quarantine("its driver gave it up", "stop"),
};

/** The words that operators may write in place of a rule. `stop` is a quarantine that also stops what runs. */
export const FINDING_WORDS = ["ignore", "blame", "watch", "quarantine", "stop"] as const;
export type FindingWord = (typeof FINDING_WORDS)[number];
export type FindingOverrides = Readonly<Record<string, FindingWord>>;

/** Returns whether a key is in the table, or is an XID. Every number may occur as an XID. */
export const isFindingKey = (key: string): boolean => Object.hasOwn(FINDINGS, key) || /^xid \d{1,4}$/.test(key);

const UNKNOWN: FindingRule = watch("not in orch's table");

export function ruleOf(key: string, overrides: FindingOverrides): FindingRule {
  const rule = (Object.hasOwn(FINDINGS, key) ? FINDINGS[key] : undefined) ?? UNKNOWN;
  const word = Object.hasOwn(overrides, key) ? overrides[key] : undefined;
  if (word === undefined) return rule;
  if (word === "stop") return { ...rule, class: "quarantine", running: "stop" };
  return { ...rule, class: word, running: "leave" };
}

/** Returns the name of a finding: `XID 79`, or the condition's name in the table. */
export const findingName = (key: string): string =>
  key.startsWith("xid ") ? key.replace("xid", "XID") : key.replaceAll("_", " ");

/** Returns a finding in words: `XID 79, fallen off the bus`. */
export const sayFinding = (key: string, rule: FindingRule): string => `${findingName(key)}, ${rule.means}`;

/** A finding that is reported to people as one event. */
export interface Notice {
  /** The number of the notice, counted within one run of the agent. */
  readonly n: number;
  /** The card, or the vendor whose cards are meant: `nvidia`. */
  readonly object: string;
  readonly key: string;
  readonly class: FindingClass;
  readonly text: string;
}

/** The same finding of the same card is not reported again within this time, since some occur by the thousand. */
export const NOTICE_AGAIN_AFTER_MS = 10 * MINUTE_MS;
/** A task that fails within this time after a finding that blames it gets the finding as its reason. */
export const BLAME_WITHIN_MS: Ms = MINUTE_MS;
