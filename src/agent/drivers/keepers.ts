// The keepers of this node, seen from the agent: it finds those that run, asks one of its own version to start tasks,
// starts one if there is none, and notices when one is gone.

import { basename, join } from "node:path";
import { formatDuration } from "../../core/format";
import { bootMs, pause, within } from "../../os/clock";
import { clearAway, namesIn } from "../../os/files/files";
import { messageOf } from "../../os/errors";
import { connectLines } from "../../os/files/lines";
import { parseFromKeeper, type FromKeeper, type TaskOrder } from "../keeper/messages";
import { places } from "../tasks/taskdir";
import { answer, halt, mayKeep, newKeeper, sayHanging, tell, type Keeper, type StartAnswer } from "./keeper-peer";
import { isKeeperAlive, startKeeper, type KeeperCommand } from "./keeper-process";

export interface KeepersOptions extends KeeperCommand {
  readonly say: (line: string) => void;
  readonly told: (message: Extract<FromKeeper, { is: "started" | "elements" | "ended" }>) => void;
  /** Called when a keeper is gone, with the tasks that it still kept. */
  readonly gone: (uids: readonly string[]) => void;
  /**
   * Called for a task whose state only its files show: its start was refused, or its keeper's message was not
   * understood.
   */
  readonly unclear: (uid: string) => void;
  /**
   * Called when a keeper that was silent from the first, or whose connection was lost, has said what it keeps, or a
   * silent one is gone. What it told meanwhile was not heard, and a silent one was taken to keep every task, so all of
   * them have to be looked at.
   */
  readonly known: () => void;
}

const GREETING_MS = 5_000;
const BEGIN_MS = 20_000;
const ANSWER_MS = 10_000;
const PING_MS = 2_000;
/** After this many pings without any word a keeper counts as hanging. */
const MOST_UNANSWERED = 4;
const AGAIN_MS = 5;
const LAUNCH_AGAIN_MS = 5_000;
/** How long after a lost connection, or one that was not made, a keeper is connected to. */
const RETURN_MS = 200;

/**
 * The result of connecting to a keeper. `there`: it has greeted. `silent`: it is connected, and has not greeted.
 * `unconnected`: there is no connection, which says nothing of the keeper.
 */
type Connecting = { readonly is: "there" | "silent" } | { readonly is: "unconnected"; readonly why: string };

type OwnKeeper = { readonly is: "there"; readonly keeper: Keeper } | { readonly is: "failed"; readonly why: string };

export class Keepers {
  readonly #options: KeepersOptions;
  readonly #dir: string;
  readonly #keepers = new Set<Keeper>();
  /** The tries to connect again to keepers whose connection was lost, or not made. */
  readonly #returning = new Set<Promise<void>>();
  #starting: Promise<OwnKeeper> | null = null;
  #heard_boot_ms: number | null = null;
  #closed = false;
  #pinging: ReturnType<typeof setInterval> | null = null;
  #trouble: string | null = null;

  constructor(options: KeepersOptions) {
    this.#options = options;
    this.#dir = places(options.data).keepers;
  }

  /** Connects to every keeper that runs. */
  async find(): Promise<void> {
    await Promise.all(
      namesIn(this.#dir)
        .filter((name) => name.endsWith(".sock"))
        .map(async (name) => {
          const keeper = newKeeper(basename(name, ".sock"));
          const found = await this.#connect(keeper);
          if (found.is === "there") return;
          if (found.is === "unconnected" && !this.#lives(keeper)) {
            clearAway(join(this.#dir, name));
            return;
          }
          this.#options.say(
            `keeper ${name} does not answer; what it keeps goes on, and its ends are told when it does`,
          );
          this.#keepUnknown(keeper);
          if (found.is === "unconnected") this.#return(keeper);
        }),
    );
  }

  #lives(keeper: Keeper): boolean {
    return isKeeperAlive(this.#options, Number(keeper.pid));
  }

  /** Waits for a living keeper that has not greeted. As it may keep any task, nobody else may judge one. */
  #keepUnknown(keeper: Keeper): void {
    keeper.silent = true;
    keeper.unanswered = MOST_UNANSWERED + 1;
    this.#keepers.add(keeper);
  }

  /**
   * Returns whether a keeper answers for a task: the keeper has it, may have it, or was asked to begin it and has not
   * answered yet.
   */
  keeps(uid: string): boolean {
    return [...this.#keepers].some((keeper) => mayKeep(keeper, uid));
  }

  /** Returns whether a keeper was asked to begin a task and has not answered yet, or has it. */
  isOrdered(uid: string): boolean {
    for (const keeper of this.#keepers) if (keeper.asked.has(uid) || keeper.uids.has(uid)) return true;
    return false;
  }

  /** Returns why there is no keeper for new tasks, or null. */
  trouble(): string | null {
    return this.#trouble;
  }

  /** Returns which keepers hang, or null: what they keep goes on, and its end is not told until they answer. */
  silent(): string | null {
    return sayHanging([...this.#keepers].filter(({ unanswered }) => (unanswered ?? 0) > MOST_UNANSWERED));
  }

  #ping(): void {
    for (const keeper of this.#keepers) {
      // Nothing is piled up for a keeper that does not read.
      if (keeper.unanswered === null || keeper.unanswered++ > 0) continue;
      tell(keeper, { do: "ping" });
    }
  }

  count(): number {
    return this.#keepers.size;
  }

  /** Asks a keeper of this version to begin a task: once, however often this is called for it. */
  async start(order: TaskOrder): Promise<StartAnswer> {
    const own = await this.#own();
    if (own.is === "failed") return { is: "refused", why: own.why };
    const { keeper } = own;
    const before = keeper.asked.get(order.uid);
    const asked = before ?? Promise.withResolvers<StartAnswer>();
    keeper.asked.set(order.uid, asked);
    if (before === undefined) tell(keeper, { do: "start", order });
    const answered = await within<StartAnswer | null>(ANSWER_MS, asked.promise, null);
    if (answered !== null) return answered;
    if (!keeper.silent) this.#options.say(`a keeper does not answer; another one is started for new tasks`);
    keeper.silent = true;
    return { is: "refused", why: "its keeper does not answer" };
  }

  /** Has a batch begin no further element, by whichever keeper may have it. Resolves when that is heard, or in vain. */
  async halt(uid: string): Promise<void> {
    await Promise.all([...this.#keepers].filter((keeper) => mayKeep(keeper, uid)).map((keeper) => halt(keeper, uid)));
  }

  lease(heard_boot_ms: number): void {
    this.#heard_boot_ms = heard_boot_ms;
    for (const keeper of this.#keepers) tell(keeper, { do: "lease", heard_boot_ms });
  }

  /** Closes the connections. The keepers end when they have no task left. */
  close(): void {
    this.#closed = true;
    if (this.#pinging !== null) clearInterval(this.#pinging);
    for (const keeper of this.#keepers) keeper.peer.close();
  }

  #hear(keeper: Keeper, line: unknown, greeted: () => void): void {
    keeper.silent = false;
    if (keeper.unanswered !== null) keeper.unanswered = 0;
    const heard = parseFromKeeper(line);
    if (heard.is === "told") return this.#take(keeper, heard.message, greeted);
    this.#options.say(`a keeper says what is not understood: ${heard.why}`);
    if (heard.uid !== null) this.#options.unclear(heard.uid);
  }

  #take(keeper: Keeper, message: FromKeeper, greeted: () => void): void {
    switch (message.is) {
      case "here":
        if (this.#keepers.has(keeper)) this.#comesBack(keeper, new Set(message.uids));
        keeper.version = message.version;
        keeper.unanswered = message.pings === true ? 0 : null;
        this.#pinging ??= setInterval(() => this.#ping(), PING_MS);
        for (const uid of message.uids) keeper.uids.add(uid);
        return greeted();
      case "alive":
        return keeper.heard.shift()?.();
      case "started":
        keeper.uids.add(message.uid);
        this.#options.told(message);
        return answer(keeper, message.uid, { is: "begun" });
      case "elements":
        return this.#options.told(message);
      case "ended":
        keeper.uids.delete(message.uid);
        this.#options.told(message);
        return answer(keeper, message.uid, { is: "begun" });
      case "refused":
        if (message.dropped === true) keeper.uids.delete(message.uid);
        answer(keeper, message.uid, { is: "refused", why: message.why });
        return this.#options.unclear(message.uid);
    }
  }

  /** Takes what a keeper that greets again keeps now. An order that it does not know was lost with the connection. */
  #comesBack(keeper: Keeper, kept: ReadonlySet<string>): void {
    const asked = [...keeper.asked.keys()];
    const lost = { is: "refused", why: "the connection to its keeper was lost" } as const;
    for (const uid of asked) answer(keeper, uid, kept.has(uid) ? { is: "begun" } : lost);
    keeper.uids.clear();
    queueMicrotask(() => {
      for (const uid of asked) this.#options.unclear(uid);
      this.#options.known();
    });
  }

  /** The connection is lost, which a living keeper outlasts: nobody else may judge its tasks before it is dead. */
  #lost(keeper: Keeper, why: string | null): void {
    if (this.#closed || !this.#keepers.has(keeper)) return;
    if (why !== null) this.#options.say(`the connection to keeper ${keeper.pid} broke and is made again: ${why}`);
    keeper.silent = true;
    this.#return(keeper);
  }

  #return(keeper: Keeper): void {
    const returning = this.#connectAgain(keeper).finally(() => this.#returning.delete(returning));
    this.#returning.add(returning);
  }

  /** Connects to a keeper until it is connected or dead. */
  async #connectAgain(keeper: Keeper): Promise<void> {
    for (let said = false; !this.#closed;) {
      await pause(RETURN_MS);
      try {
        if (this.#closed || (await this.#isSettled(keeper))) return;
      } catch (error) {
        if (!said) this.#options.say(`keeper ${keeper.pid} cannot be connected to: ${messageOf(error)}`);
        said = true;
      }
    }
  }

  async #isSettled(keeper: Keeper): Promise<boolean> {
    const found = await this.#connect(keeper);
    if (found.is === "there") return true;
    if (found.is === "unconnected" && !this.#lives(keeper)) {
      this.#gone(keeper);
      return true;
    }
    this.#keepUnknown(keeper);
    return found.is === "silent";
  }

  #gone(keeper: Keeper): void {
    const unknown = this.#keepers.delete(keeper) && keeper.version === "";
    const left = new Set([...keeper.uids, ...keeper.asked.keys()]);
    for (const uid of left) answer(keeper, uid, { is: "refused", why: "its keeper is gone" });
    if (this.#closed) return;
    this.#options.gone([...left]);
    if (unknown) this.#options.known();
  }

  async #connect(keeper: Keeper): Promise<Connecting> {
    const greeting = Promise.withResolvers<boolean>();
    let [waited, closed] = [false, false];
    const connected = await connectLines(join(this.#dir, `${keeper.pid}.sock`), (socket) => {
      keeper.peer = socket;
      return {
        message: (line) => this.#hear(keeper, line, () => greeting.resolve(true)),
        closed: (why) => {
          closed = true;
          greeting.resolve(false);
          if (waited) this.#lost(keeper, why);
        },
      };
    });
    if (connected.is === "failed") return { is: "unconnected", why: connected.why };
    const greeted = await within(GREETING_MS, greeting.promise, false);
    waited = true;
    if (this.#closed) keeper.peer.close();
    if (closed || this.#closed) return { is: "unconnected", why: "the connection was closed" };
    if (this.#heard_boot_ms !== null) tell(keeper, { do: "lease", heard_boot_ms: this.#heard_boot_ms });
    if (!greeted) return { is: "silent" };
    this.#keepers.add(keeper);
    return { is: "there" };
  }

  #ready(): OwnKeeper | null {
    for (const keeper of this.#keepers) {
      if (keeper.version === this.#options.version && !keeper.silent) return { is: "there", keeper };
    }
    return null;
  }

  async #own(): Promise<OwnKeeper> {
    const ready = this.#ready();
    if (ready !== null) return ready;
    this.#starting ??= this.#launch()
      .catch((error: unknown): OwnKeeper => ({ is: "failed", why: `no keeper can be started: ${messageOf(error)}` }))
      .then((own) => {
        this.#note(own.is === "failed" ? own.why : null);
        return own;
      })
      .finally(() => {
        this.#starting = null;
      });
    return this.#starting;
  }

  /** Notes why there is no keeper, and tries again until there is one: without tasks nobody else would. */
  #note(trouble: string | null): void {
    this.#trouble = trouble;
    if (trouble === null || this.#closed) return;
    const again = (): void => {
      if (!this.#closed && this.#trouble !== null) this.#own().catch((error: unknown) => this.#note(messageOf(error)));
    };
    setTimeout(again, LAUNCH_AGAIN_MS).unref();
  }

  async #launch(): Promise<OwnKeeper> {
    // One to which the connection was just lost is mostly back at once, and is not doubled.
    await within(2 * RETURN_MS, Promise.all(this.#returning), []);
    const back = this.#ready();
    if (back !== null) return back;
    const started = await startKeeper(this.#options);
    if (started.is === "failed") return started;
    const { pid, ended } = started.process;
    const seeLog = "see keeper.log in the data directory";
    let why = "";
    for (const until = bootMs() + BEGIN_MS; bootMs() < until;) {
      await pause(AGAIN_MS);
      const over = ended();
      if (over !== null) return { is: "failed", why: `the keeper ended ${over} before it answered: ${seeLog}` };
      if (!namesIn(this.#dir).includes(`${pid}.sock`)) continue;
      const keeper = newKeeper(String(pid));
      const found = await this.#connect(keeper);
      if (found.is === "there") return { is: "there", keeper };
      why = found.is === "unconnected" ? found.why : "and does not answer";
      if (found.is === "silent") keeper.peer.close();
    }
    return { is: "failed", why: `the keeper did not begin within ${formatDuration(BEGIN_MS)} ${why}: ${seeLog}` };
  }
}
