// The health of the cards, judged from the kernel's log and from each look: which cards get no new work, which tasks
// have to end, which task is to blame, and which findings are reported to people.

import { examined, HEALTHY, type Condition, type CardHealth } from "../../core/agent/card-health";
import { diagnose, type Patient } from "../../core/agent/diagnose";
import type { Vendor } from "../../core/model/device";
import {
  NOTICE_AGAIN_AFTER_MS,
  ruleOf,
  sayFinding,
  type FindingOverrides,
  type FindingRule,
  type Notice,
} from "../../core/model/findings";
import { MINUTE_MS, SECOND_MS, type BootMs, type Ms } from "../../core/units";
import { openKernelLog, type KernelLog } from "../../os/kernel-log";
import { findingsIn, type KernelFinding } from "./kernel-findings";

/** The state that survives restarts of the agent within one boot. */
export interface HealthMemory {
  /** The place up to which the kernel's log was read, or null before the first reading. */
  readonly log: string | null;
  readonly overrides: FindingOverrides;
}

export interface CardsHealthOptions {
  readonly memory: HealthMemory;
  readonly clock: () => BootMs;
  readonly say: (line: string) => void;
  /** The path of the kernel's log, such as `/dev/kmsg`; or null if there is none. */
  readonly log_path: string | null;
  readonly cards: () => readonly (Patient & { readonly vendor: Vendor; readonly pci: string | null })[];
  readonly quarantine: (ids: readonly string[], reason: string) => void;
  /** Called when a finding has to be reported. */
  readonly found: () => void;
}

/** Why a task is to blame for its own end, and since when. */
export interface Blame {
  readonly why: string;
  readonly at_ms: Ms;
}

const READ_EVERY_MS = SECOND_MS;
const HUNG_AFTER_MS = MINUTE_MS;
const MOST_NOTICES = 200;

export class CardsHealth {
  readonly #options: CardsHealthOptions;
  readonly #log: KernelLog | null;
  readonly #health = new Map<string, CardHealth>();
  readonly #verdicts = new Map<string, string>();
  readonly #blames = new Map<string, Blame>();
  /** By card, the last finding that quarantines it, even if it was quarantined before. */
  readonly #last = new Map<string, { readonly at_ms: Ms; readonly what: string }>();
  readonly #told = new Map<string, Ms>();
  readonly #failing = new Map<Vendor, Ms>();
  #notices: Notice[] = [];
  #n = 0;
  #overrides: FindingOverrides;
  /**
   * When the lines being read were logged: `history` before any agent followed the log, `past` while no agent ran,
   * `now` since this agent started.
   */
  #reading: "history" | "past" | "now";
  #place: string | null;
  #placed_ms: Ms;
  #complained = false;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: CardsHealthOptions) {
    this.#options = options;
    this.#overrides = options.memory.overrides;
    this.#place = options.memory.log;
    this.#placed_ms = options.clock();
    this.#reading = options.memory.log === null ? "history" : "past";
    this.#log = options.log_path === null ? null : openKernelLog(options.log_path, options.memory.log);
  }

  /** Begins to follow the kernel's log. Called once there are cards. */
  begin(): void {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.read(), READ_EVERY_MS);
    this.read();
  }

  /** Reads and judges the lines that the kernel has logged since the last call. The function never blocks. */
  read(): void {
    if (this.#log === null) return;
    const now_ms = this.#options.clock();
    const found = findingsIn(this.#log.read());
    const problem = this.#log.problem();
    if (problem !== null && !this.#complained) {
      this.#complained = true;
      this.#options.say(`the kernel's log cannot be read, so what it says of cards is not heard: ${problem}`);
    }
    for (const one of found) this.#hear(one, now_ms);
    this.#reading = "now";
    if (found.length === 0 && now_ms - this.#placed_ms < MINUTE_MS) return;
    this.#place = this.#log.place();
    this.#placed_ms = now_ms;
    if (found.length > 0) this.#options.found();
  }

  #hear({ key, vendor, pci, pid, age_ms }: KernelFinding, now_ms: Ms): void {
    const rule = ruleOf(key, this.#overrides);
    // An old line matters only if the card may still be in the state that the line reports.
    if (this.#reading === "history" && rule.class !== "quarantine") return;
    const of = this.#options.cards().filter((one) => one.vendor === vendor);
    const cards = pci === null ? of : of.filter((one) => one.pci?.startsWith(pci) === true);
    // A line that names no card is about the only card. If there are several, the card is unknown, and the finding is
    // only reported.
    if (pci === null && new Set(of.map((one) => one.pci)).size > 1) return this.#tell(vendor, key, rule, now_ms);
    if (cards.length === 0) return this.#tell(pci ?? vendor, key, rule, now_ms);
    this.#judge(key, rule, cards, pid, this.#reading === "now" ? now_ms : now_ms - (age_ms ?? 0));
  }

  #judge(key: string, rule: FindingRule, cards: readonly Patient[], pid: number | null, at_ms: Ms): void {
    const { quarantined, stopped, blamed } = diagnose(key, rule, cards, pid, at_ms);
    for (const [uid, why] of stopped) if (!this.#verdicts.has(uid)) this.#verdicts.set(uid, why);
    for (const [uid, why] of blamed) this.#blames.set(uid, { why, at_ms });
    if (quarantined.length > 0) this.#options.quarantine(quarantined, sayFinding(key, rule));
    for (const id of quarantined) this.#last.set(id, { at_ms: this.#options.clock(), what: sayFinding(key, rule) });
    // No notice is needed: the reason of the task's end contains the finding.
    if (blamed.size > 0) return;
    for (const { id } of cards) this.#tell(id, key, rule, this.#options.clock());
  }

  #tell(object: string, key: string, rule: FindingRule, now_ms: Ms): void {
    const told_ms = this.#told.get(`${object} ${key}`);
    if (rule.class === "ignore" || (told_ms !== undefined && now_ms - told_ms < NOTICE_AGAIN_AFTER_MS)) return;
    this.#told.set(`${object} ${key}`, now_ms);
    const text = sayFinding(key, rule);
    this.#options.say(`${object}: ${text} (${rule.class})`);
    this.#notices = [...this.#notices, { n: ++this.#n, object, key, class: rule.class, text }].slice(-MOST_NOTICES);
  }

  /** Judges the condition of a card in one look. */
  looked(id: string, condition: Condition): void {
    const now_ms = this.#options.clock();
    const { health, found } = examined(this.#health.get(id) ?? HEALTHY, condition, now_ms);
    this.#health.set(id, health);
    const cards = found.length === 0 ? [] : this.#options.cards().filter((one) => one.id === id);
    for (const key of found) this.#judge(key, ruleOf(key, this.#overrides), cards, null, now_ms);
    if (found.length > 0) this.#options.found();
  }

  /** Notes whether a look at a vendor's cards succeeded. */
  answered(vendor: Vendor, does: boolean): void {
    const now_ms = this.#options.clock();
    const since_ms = this.#failing.get(vendor) ?? now_ms;
    if (does) this.#failing.delete(vendor);
    else this.#failing.set(vendor, since_ms);
    if (does || now_ms - since_ms < HUNG_AFTER_MS) return;
    this.#tell(vendor, "probe hung", ruleOf("probe hung", this.#overrides), now_ms);
    this.#options.found();
  }

  /**
   * Returns why a card has to stay in quarantine: its present conditions, and findings since the test began at
   * `from_ms`.
   */
  objections(id: string, from_ms: Ms): readonly string[] {
    const last = this.#last.get(id);
    const since = last !== undefined && last.at_ms >= from_ms ? [last.what] : [];
    const now = Object.keys(this.#health.get(id)?.holds ?? {})
      .map((key) => [key, ruleOf(key, this.#overrides)] as const)
      .filter(([, rule]) => rule.class === "quarantine")
      .map(([key, rule]) => sayFinding(key, rule));
    return [...new Set([...now, ...since])];
  }

  /** Returns why tasks have to end, by uid. */
  verdicts(): ReadonlyMap<string, string> {
    return this.#verdicts;
  }

  /** Notes that a task has to end, and why. */
  condemn(uid: string, why: string): void {
    if (!this.#verdicts.has(uid)) this.#verdicts.set(uid, why);
  }

  blames(): ReadonlyMap<string, Blame> {
    return this.#blames;
  }

  /** Forgets a task whose end is on disk. */
  ended(uid: string): void {
    this.#verdicts.delete(uid);
    this.#blames.delete(uid);
  }

  notices(): readonly Notice[] {
    return this.#notices;
  }

  /** Drops the notices up to number `n`, which the server has on disk. */
  noted(n: number): void {
    this.#notices = this.#notices.filter((notice) => notice.n > n);
  }

  override(overrides: FindingOverrides): void {
    this.#overrides = overrides;
  }

  memory(): HealthMemory {
    return { log: this.#place, overrides: this.#overrides };
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#log?.close();
  }
}
