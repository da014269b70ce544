// The keepers of this node as the agent sees them: it finds those that run, asks one of its own version to start tasks,
// starts one when there is none, and learns when one is gone.

import { join } from "node:path";
import { bootMs } from "../../os/clock";
import { makePrivateDir, namesIn, removeFile } from "../../os/files";
import { connectLines, type LinePeer } from "../../os/lines";
import { startDetached, SYSTEM_PATH } from "../../os/spawn";
import type { FromKeeper, TaskOrder, ToKeeper } from "../keeper/messages";
import { places } from "../taskdir";

export interface KeepersOptions {
  readonly data: string;
  readonly version: string;
  /** The argv that starts a keeper; the data directory is added to it. */
  readonly command: readonly string[];
  readonly say: (line: string) => void;
  readonly told: (message: Extract<FromKeeper, { is: "started" | "ended" }>) => void;
  /** A keeper is gone; these are the tasks that it still kept. */
  readonly gone: (uids: readonly string[]) => void;
}

export type StartAnswer =
  | { readonly is: "begun" }
  | { readonly is: "refused"; readonly why: string };

interface Keeper {
  readonly peer: LinePeer;
  version: string;
  readonly uids: Set<string>;
  readonly asked: Map<string, (answer: StartAnswer) => void>;
}

export interface Keepers {
  /** Connects to every keeper that runs. */
  find(): Promise<void>;
  keeps(uid: string): boolean;
  count(): number;
  start(order: TaskOrder): Promise<StartAnswer>;
  lease(heard_boot_ms: number): void;
  close(): void;
}

const GREETING_MS = 5_000;
const BEGIN_MS = 20_000;
const ANSWER_MS = 60_000;
const AGAIN_MS = 5;
const SILENT = "it does not answer";

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

function within<T>(ms: number, what: Promise<T>, otherwise: T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(otherwise), ms);
  return Promise.race([what, promise]).finally(() => clearTimeout(timer));
}

export function createKeepers(options: KeepersOptions): Keepers {
  const dir = places(options.data).keepers;
  const keepers = new Set<Keeper>();
  let starting: Promise<Keeper | string> | null = null;
  let heard: number | null = null;
  let closed = false;

  const ask = (keeper: Keeper, message: ToKeeper): void => keeper.peer.send(message);

  function answer(keeper: Keeper, uid: string, answered: StartAnswer): void {
    keeper.asked.get(uid)?.(answered);
    keeper.asked.delete(uid);
  }

  function take(keeper: Keeper, message: FromKeeper, greeted: () => void): void {
    switch (message.is) {
      case "here":
        keeper.version = message.version;
        for (const uid of message.uids) keeper.uids.add(uid);
        return greeted();
      case "started":
        keeper.uids.add(message.uid);
        options.told(message);
        return answer(keeper, message.uid, { is: "begun" });
      case "ended":
        keeper.uids.delete(message.uid);
        options.told(message);
        return answer(keeper, message.uid, { is: "begun" });
      case "refused":
        return answer(keeper, message.uid, { is: "refused", why: message.why });
    }
  }

  /** Connects to one socket; gives back why not. A socket that nobody listens on is removed. */
  async function connect(path: string): Promise<Keeper | string> {
    const greeting = Promise.withResolvers<void>();
    let keeper: Keeper | null = null;
    const peer = await connectLines(path, (socket) => {
      const one: Keeper = { peer: socket, version: "", uids: new Set(), asked: new Map() };
      keeper = one;
      return {
        message: (message) => take(one, message as FromKeeper, () => greeting.resolve()),
        closed: () => {
          keepers.delete(one);
          greeting.resolve();
          for (const uid of one.asked.keys()) answer(one, uid, { is: "refused", why: "its keeper is gone" });
          if (!closed) options.gone([...one.uids]);
        },
      };
    });
    if (typeof peer === "string") return peer;
    const one = keeper as Keeper | null;
    const greeted = await within(GREETING_MS, greeting.promise.then(() => true), false);
    if (one === null || !greeted || one.version === "") {
      peer.close();
      return SILENT;
    }
    keepers.add(one);
    if (heard !== null) ask(one, { do: "lease", heard_boot_ms: heard });
    return one;
  }

  async function launch(): Promise<Keeper | string> {
    makePrivateDir(dir);
    const env = { PATH: SYSTEM_PATH, LANG: "C.UTF-8", ORCH_KEEPER_VERSION: options.version, ...passedOn() };
    const pid = startDetached([...options.command, options.data], env, join(options.data, "keeper.log"));
    const socket = join(dir, `${pid}.sock`);
    let why = "";
    for (const until = bootMs() + BEGIN_MS; bootMs() < until;) {
      await pause(AGAIN_MS);
      if (namesIn(dir).includes(`${pid}.sock`)) {
        const keeper = await connect(socket);
        if (typeof keeper !== "string") return keeper;
        why = keeper;
      }
    }
    return `the keeper did not begin within ${BEGIN_MS / 1000} s ${why}: see keeper.log in the data directory`;
  }

  async function own(): Promise<Keeper | string> {
    for (const keeper of keepers) if (keeper.version === options.version) return keeper;
    starting ??= launch().finally(() => { starting = null; });
    return starting;
  }

  return {
    find: async () => {
      await Promise.all(namesIn(dir).filter((name) => name.endsWith(".sock")).map(async (name) => {
        const found = await connect(join(dir, name));
        if (typeof found !== "string") return;
        if (found === SILENT) options.say(`keeper ${name} does not answer; its tasks are known by their files`);
        else removeFile(join(dir, name));
      }));
    },
    keeps: (uid) => [...keepers].some((keeper) => keeper.uids.has(uid)),
    count: () => keepers.size,
    start: async (order) => {
      const keeper = await own();
      if (typeof keeper === "string") return { is: "refused", why: keeper };
      const { promise, resolve } = Promise.withResolvers<StartAnswer>();
      keeper.asked.set(order.uid, resolve);
      ask(keeper, { do: "start", order });
      return within(ANSWER_MS, promise, { is: "refused", why: "its keeper does not answer" });
    },
    lease: (heard_boot_ms) => {
      heard = heard_boot_ms;
      for (const keeper of keepers) ask(keeper, { do: "lease", heard_boot_ms });
    },
    close: () => {
      closed = true;
      for (const keeper of keepers) keeper.peer.close();
    },
  };
}

/** What decides where the run directory is, and so must be the same for the keeper. */
function passedOn(): Record<string, string> {
  const dir = process.env["XDG_RUNTIME_DIR"];
  return dir === undefined ? {} : { XDG_RUNTIME_DIR: dir };
}
