// The keepers of this node, seen from the agent: it finds those that run, asks one of its own version to start tasks,
// starts one if there is none, and notices when one is gone.

import { basename, join } from "node:path";
import { formatDuration } from "../../core/format";
import { bootMs, pause, within } from "../../os/clock";
import { answerOf, makeDirSlowly, openToAppendSlowly } from "../../os/files/disk";
import { clearAway, namesIn } from "../../os/files/files";
import { messageOf } from "../../os/errors";
import { connectLines, type LinePeer } from "../../os/files/lines";
import { startDetached, SYSTEM_PATH } from "../../os/process/spawn";
import { parseFromKeeper, type FromKeeper, type TaskOrder, type ToKeeper } from "../keeper/messages";
import { places } from "../tasks/taskdir";

export interface KeepersOptions {
  readonly data: string;
  readonly version: string;
  /** The argv that starts a keeper; the data directory is added to it. */
  readonly command: readonly string[];
  readonly say: (line: string) => void;
  readonly told: (message: Extract<FromKeeper, { is: "started" | "ended" }>) => void;
  /** Called when a keeper is gone, with the tasks that it still kept. */
  readonly gone: (uids: readonly string[]) => void;
  /**
   * Called for a task whose state only its files show: its start was refused, or its keeper's message was not
   * understood.
   */
  readonly unclear: (uid: string) => void;
  /**
   * Called when a keeper that was silent from the first has said what it keeps, or is gone. Until then `keeps` answers
   * for every task, so all of them have to be looked at.
   */
  readonly known: () => void;
}

export type StartAnswer = { readonly is: "begun" } | { readonly is: "refused"; readonly why: string };

interface Keeper {
  readonly peer: LinePeer;
  readonly pid: string;
  /** The release of the keeper, or "" until it has greeted, which also tells what it keeps. */
  version: string;
  readonly uids: Set<string>;
  /** Whether the keeper has left an order unanswered, and has said nothing since. */
  silent: boolean;
  /** How many pings in a row it has not answered; null if it does not know them. */
  unanswered: number | null;
  /** Starts that wait for their answer, by uid. A repeated start waits for the same answer. */
  readonly asked: Map<string, PromiseWithResolvers<StartAnswer>>;
}

const GREETING_MS = 5_000;
const BEGIN_MS = 20_000;
const ANSWER_MS = 10_000;
const PING_MS = 2_000;
/** After this many pings without any word a keeper counts as hanging. */
const MOST_UNANSWERED = 4;
const AGAIN_MS = 5;
const LAUNCH_AGAIN_MS = 5_000;

/**
 * The result of connecting to the socket of a keeper. `silent`: the keeper lives and does not answer. `dead`: nobody
 * listens on the socket any more.
 */
type FoundKeeper =
  | { readonly is: "there"; readonly keeper: Keeper }
  | { readonly is: "silent"; readonly keeper: Keeper }
  | { readonly is: "gone"; readonly dead: boolean; readonly why: string };

type OwnKeeper = { readonly is: "there"; readonly keeper: Keeper } | { readonly is: "failed"; readonly why: string };

export class Keepers {
  readonly #options: KeepersOptions;
  readonly #dir: string;
  readonly #keepers = new Set<Keeper>();
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
          const found = await this.#connect(join(this.#dir, name));
          if (found.is === "gone" && found.dead) clearAway(join(this.#dir, name));
          if (found.is !== "silent") return;
          this.#options.say(
            `keeper ${name} does not answer; what it keeps goes on, and its ends are told when it does`,
          );
          this.#keepUnknown(found.keeper);
        }),
    );
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
    for (const keeper of this.#keepers) {
      if (keeper.version === "" || keeper.uids.has(uid) || keeper.asked.has(uid)) return true;
    }
    return false;
  }

  /** Returns whether a keeper was asked to begin a task and has not answered yet. */
  isAsked(uid: string): boolean {
    for (const keeper of this.#keepers) if (keeper.asked.has(uid)) return true;
    return false;
  }

  /** Returns why there is no keeper for new tasks, or null. */
  trouble(): string | null {
    return this.#trouble;
  }

  /** Returns which keepers hang, or null: what they keep goes on, and its end is not told until they answer. */
  silent(): string | null {
    const hanging = [...this.#keepers].filter(({ unanswered }) => (unanswered ?? 0) > MOST_UNANSWERED);
    if (hanging.length === 0) return null;
    const tasks = hanging.reduce((sum, { uids }) => sum + uids.size, 0);
    const pids = hanging.map(({ pid }) => pid).join(", ");
    const unknown = hanging.some(({ version }) => version === "");
    const kept = unknown ? "tasks" : `${tasks} ${tasks === 1 ? "task" : "tasks"}`;
    return `its keeper (PID ${pids}) does not answer, and keeps ${kept}: nobody hears of their ends`;
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
        if (keeper.version === "" && this.#keepers.has(keeper)) queueMicrotask(() => this.#options.known());
        keeper.version = message.version;
        keeper.unanswered = message.pings === true ? 0 : null;
        this.#pinging ??= setInterval(() => this.#ping(), PING_MS);
        for (const uid of message.uids) keeper.uids.add(uid);
        return greeted();
      case "alive":
        return;
      case "started":
        keeper.uids.add(message.uid);
        this.#options.told(message);
        return answer(keeper, message.uid, { is: "begun" });
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

  #gone(keeper: Keeper): void {
    const unknown = this.#keepers.delete(keeper) && keeper.version === "";
    const left = new Set([...keeper.uids, ...keeper.asked.keys()]);
    for (const uid of left) answer(keeper, uid, { is: "refused", why: "its keeper is gone" });
    if (this.#closed) return;
    this.#options.gone([...left]);
    if (unknown) this.#options.known();
  }

  async #connect(path: string): Promise<FoundKeeper> {
    const greeting = Promise.withResolvers<void>();
    let made: Keeper | null = null;
    const connected = await connectLines(path, (socket) => {
      const keeper = newKeeper(socket, basename(path, ".sock"));
      made = keeper;
      return {
        message: (line) => this.#hear(keeper, line, () => greeting.resolve()),
        closed: () => {
          greeting.resolve();
          this.#gone(keeper);
        },
      };
    });
    if (connected.is === "failed") {
      const { code, why } = connected;
      return { is: "gone", dead: code === "ECONNREFUSED" || code === "ENOENT", why };
    }
    const keeper = made as Keeper | null;
    const greeted = await within(
      GREETING_MS,
      greeting.promise.then(() => true),
      false,
    );
    if (keeper === null) return { is: "gone", dead: false, why: "the connection was not made" };
    if (this.#heard_boot_ms !== null) tell(keeper, { do: "lease", heard_boot_ms: this.#heard_boot_ms });
    if (keeper.version === "") {
      return greeted ? { is: "gone", dead: false, why: "the connection was closed" } : { is: "silent", keeper };
    }
    this.#keepers.add(keeper);
    return { is: "there", keeper };
  }

  async #own(): Promise<OwnKeeper> {
    for (const keeper of this.#keepers) {
      if (keeper.version === this.#options.version && !keeper.silent) return { is: "there", keeper };
    }
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
    const { command, data, version } = this.#options;
    const log = await answerOf(openLogSlowly(this.#dir, join(data, "keeper.log")));
    if (log.is !== "done") return { is: "failed", why: `no keeper can be started: ${log.why}` };
    const env = { PATH: SYSTEM_PATH, LANG: "C.UTF-8", ORCH_KEEPER_VERSION: version, ...passedOn() };
    const pid = startDetached([...command, data], env, log.value);
    const name = `${pid}.sock`;
    let why = "";
    for (const until = bootMs() + BEGIN_MS; bootMs() < until;) {
      await pause(AGAIN_MS);
      if (!namesIn(this.#dir).includes(name)) continue;
      const found = await this.#connect(join(this.#dir, name));
      if (found.is === "there") return found;
      why = found.is === "silent" ? "and does not answer" : found.why;
      if (found.is === "silent") found.keeper.peer.close();
    }
    const within = formatDuration(BEGIN_MS);
    return {
      is: "failed",
      why: `the keeper did not begin within ${within} ${why}: see keeper.log in the data directory`,
    };
  }
}

/** Opens the log of keepers, and makes the directory of their sockets. A disk that hangs must not stop the agent. */
async function openLogSlowly(dir: string, log: string): Promise<number> {
  await makeDirSlowly(dir);
  return openToAppendSlowly(log);
}

const newKeeper = (peer: LinePeer, pid: string): Keeper => ({
  peer,
  pid,
  version: "",
  uids: new Set(),
  silent: false,
  unanswered: null,
  asked: new Map(),
});

const tell = (keeper: Keeper, message: ToKeeper): void => keeper.peer.send(message);

function answer(keeper: Keeper, uid: string, answered: StartAnswer): void {
  keeper.asked.get(uid)?.resolve(answered);
  keeper.asked.delete(uid);
}

/** Returns the variables that decide where the run directory is. They must be the same for the keeper. */
function passedOn(): Record<string, string> {
  const dir = process.env["XDG_RUNTIME_DIR"];
  return dir === undefined ? {} : { XDG_RUNTIME_DIR: dir };
}
