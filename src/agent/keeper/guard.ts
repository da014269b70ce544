// The keeper's side of its guard: it starts the guard with the first exclusive task, tells it every task and lease, and
// starts another one when the guard ends or hangs.

import { LEASE_TIMES } from "../../core/limits";
import { bootMs, within } from "../../os/clock";
import { fieldsOf } from "../../os/files/json";
import type { Say } from "../../os/log";
import { startPartner, type Partner } from "../../os/process/partner";
import type { GuardedTask, ToGuard } from "./guarding";

/** How long a guard may take to begin, and to answer. */
const READY_MS = 10_000;
const ANSWER_MS = 2_000;

interface Living {
  readonly partner: Partner;
  readonly ready: PromiseWithResolvers<boolean>;
  readonly over: PromiseWithResolvers<void>;
  /** How long nothing was heard of it, while the keeper itself was listening. */
  silent_ms: number;
}

export interface GuardOptions {
  /** The argv that starts a guard. */
  readonly command: readonly string[];
  readonly say: Say;
  /** Called when the guard has signalled a task because of its lease. */
  readonly expired: (uid: string) => void;
}

/** Waits for a guard's answer. It is null if the guard ends or does not answer. */
async function answerOf({ over }: Living, answer: Promise<boolean>): Promise<boolean | null> {
  const began_ms = bootMs();
  const either = Promise.race([answer.then((told) => ({ told })), over.promise.then(() => ({ told: null }))]);
  const first = await within(ANSWER_MS, either, null);
  if (first !== null) return first.told;
  // A keeper that was stopped itself has not listened, and an answer may lie in the pipe.
  const stopped = bootMs() - began_ms > ANSWER_MS + LEASE_TIMES.look_ms;
  return stopped ? (await within(ANSWER_MS, either, { told: null })).told : null;
}

export class Guard {
  readonly #options: GuardOptions;
  readonly #tasks = new Map<string, GuardedTask>();
  /**
   * Who waits for an answer, by its kind and task. The guard also tells that it holds a task when that has begun, and a
   * very short one is let go of before that is heard.
   */
  readonly #answers = new Map<string, (expired: boolean) => void>();
  #living: Living | null = null;
  #heard_boot_ms: number | null = null;
  #looked_ms = bootMs();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Resolves when a guard holds the task, or with why none does. One that hangs or dies is replaced once for it. */
  async hold(task: GuardedTask): Promise<string | null> {
    this.#tasks.set(task.uid, task);
    const asked = this.#living ?? this.#start();
    const why = await this.#ask(asked, task);
    if (why === null || typeof asked === "string") return why;
    // Another task that waited for the same guard may have replaced it meanwhile, so only the one asked is killed.
    asked.partner.kill();
    await within(ANSWER_MS, asked.over.promise, undefined);
    return this.#ask(this.#living ?? this.#start(), task);
  }

  async #ask(guard: Living | string, task: GuardedTask): Promise<string | null> {
    if (typeof guard === "string") return guard;
    if (!(await within(READY_MS, guard.ready.promise, false))) return "the guard of leases does not begin";
    const held = await this.#exchange(guard, { do: "hold", task }, "holding", task.uid);
    return held === null ? "the guard of leases does not answer" : null;
  }

  /** Tells a guard something of a task. Resolves with its answer of this kind; with null if it is gone or hangs. */
  async #exchange(guard: Living, message: ToGuard, is: "holding" | "dropped", uid: string): Promise<boolean | null> {
    const key = `${is} ${uid}`;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#answers.set(key, resolve);
    guard.partner.send(message);
    const answer = await answerOf(guard, promise);
    if (this.#answers.get(key) === resolve) this.#answers.delete(key);
    return answer;
  }

  /** Tells the process of a task that the guard holds. */
  begun(uid: string, process: GuardedTask["process"]): void {
    const task = this.#tasks.get(uid);
    if (task === undefined) return;
    this.#tasks.set(uid, { ...task, process });
    this.#send({ do: "hold", task: { ...task, process } });
  }

  /** Lets go of a task. Resolves with whether the guard had ended it; with false if the guard is gone or hangs. */
  async drop(uid: string): Promise<boolean> {
    const living = this.#living;
    if (!this.#tasks.delete(uid) || living === null) return false;
    return (await this.#exchange(living, { do: "drop", uid }, "dropped", uid)) === true;
  }

  /**
   * Resolves as `drop` does, for a task whose main process has ended. The guard goes on with what is left of the task,
   * and whatever it does to that says nothing of how the task ended.
   */
  exited(uid: string): Promise<boolean> {
    const task = this.#tasks.get(uid);
    const expired = this.drop(uid);
    if (task !== undefined) {
      this.#tasks.set(uid, task);
      this.#send({ do: "hold", task });
    }
    return expired;
  }

  lease(heard_boot_ms: number): void {
    this.#heard_boot_ms = heard_boot_ms;
    this.#send({ do: "lease", heard_boot_ms });
  }

  /** Looks whether the guard still answers. A guard that hangs is replaced; the keeper enforces leases meanwhile. */
  look(): void {
    const now_ms = bootMs();
    // A keeper that was stopped itself has not listened, so no pause counts as more than two looks.
    const passed_ms = Math.min(now_ms - this.#looked_ms, 2 * LEASE_TIMES.look_ms);
    this.#looked_ms = now_ms;
    if (this.#living === null) return this.#again();
    this.#living.silent_ms += passed_ms;
    if (this.#living.silent_ms > LEASE_TIMES.hung_ms) this.#living.partner.kill();
    else this.#send({ do: "ping" });
  }

  /** Ends the guard, which has no task any more. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#tasks.clear();
    const living = this.#living;
    if (living === null) return;
    living.partner.dismiss();
    await within(ANSWER_MS, living.over.promise, undefined);
  }

  #again(): void {
    if (this.#tasks.size === 0) return;
    const started = this.#start();
    if (typeof started === "string") this.#options.say("leases have no guard but the keeper", { why: started });
  }

  #start(): Living | string {
    const partner = startPartner(this.#options.command, {
      heard: (line) => this.#hear(living, line),
      ended: () => {
        if (this.#living === living) this.#living = null;
        living.ready.resolve(false);
        living.over.resolve();
        if (this.#tasks.size > 0) this.#options.say("the guard of leases ended; another one is started");
      },
    });
    if (typeof partner === "string") return partner;
    const living: Living = {
      partner,
      ready: Promise.withResolvers<boolean>(),
      over: Promise.withResolvers<void>(),
      silent_ms: 0,
    };
    this.#living = living;
    if (this.#heard_boot_ms !== null) this.lease(this.#heard_boot_ms);
    for (const task of this.#tasks.values()) this.#send({ do: "hold", task });
    return living;
  }

  #send(message: ToGuard): void {
    this.#living?.partner.send(message);
  }

  #hear(living: Living, line: unknown): void {
    living.silent_ms = 0;
    const { is, uid, expired, locked, why } = fieldsOf(line);
    if (is === "ready") {
      living.ready.resolve(true);
      if (typeof locked === "string") this.#options.say("the guard's memory is not locked", { why: locked });
    }
    if (is === "trouble") this.#options.say("the guard of leases could not do something", { why: String(why) });
    if (typeof uid !== "string") return;
    if (is === "ended") this.#options.expired(uid);
    else if (is === "holding" || is === "dropped") this.#answers.get(`${is} ${uid}`)?.(expired === true);
  }
}
