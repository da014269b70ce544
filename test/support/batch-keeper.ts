// A keeper in the test's own process that runs a batch by hand: what it writes and says is what the test tells it. It
// has no control groups, and is dead once it is told to die: then nobody finds it again.

import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ELEMENTS, beganLine, endedLine, mayLine, openLine, placeDir } from "../../src/agent/tasks/element-journal";
import { parseToKeeper, toldBy, type FromKeeper, type ToKeeper } from "../../src/agent/keeper/messages";
import { clocksNow } from "../../src/agent/tasks/moments";
import { claimText, exitLine, FILES } from "../../src/agent/tasks/taskdir";
import { markerOf } from "../../src/agent/drivers/order";
import type { BatchOrder, ElementEnd } from "../../src/core/model/array";
import type { Assignment } from "../../src/core/model/record";
import { bootMs } from "../../src/os/clock";
import { listenLines, type LinePeer } from "../../src/os/files/lines";
import { statOf, type FoundProcess } from "../../src/os/proc";
import { assignmentFor } from "./tasks";
import { waitUntil } from "./wait";

/** No process has this pid: it is more than the kernel gives. */
const NOBODY = 4_194_305;

/** An assignment of a batch of the elements 10, 12, 14 and so on. */
export function batchFor(count: number, places: number, over: Partial<BatchOrder> = {}): Assignment {
  const batch = {
    parts: [[0, count - 1]] as const,
    places,
    round: 1,
    first: 10,
    step: 2,
    begins_for_ms: 2_000,
    ...over,
  };
  const { promised } = assignmentFor("true");
  return assignmentFor("true", { batch, promised: { ...promised, cpu_milli: 100 * places } });
}

export class BatchKeeper {
  readonly heard: ToKeeper[] = [];
  readonly #data: string;
  readonly #version: string;
  readonly #kept: string[];
  readonly #server: { stop(): void };
  #peer: LinePeer | null = null;

  /** Listens where agents find it. `kept` are batches that an earlier agent had it begin. */
  constructor(data: string, kept: readonly string[] = [], version = "1") {
    this.#data = data;
    this.#version = version;
    this.#kept = [...kept];
    mkdirSync(join(data, "keepers"), { recursive: true });
    this.#server = listenLines(join(data, "keepers", `${NOBODY}.sock`), (peer) => this.#greet(peer));
  }

  #greet(peer: LinePeer) {
    this.#peer = peer;
    peer.send({ is: "here", version: this.#version, uids: this.#kept, pings: true });
    return { message: (line: unknown) => this.#hear(line), closed: () => undefined };
  }

  #hear(line: unknown): void {
    const asked = parseToKeeper(line);
    if (asked.is !== "asked") throw new Error(asked.why);
    this.heard.push(asked.message);
    if (asked.message.do === "ping") this.say({ is: "alive" });
    if (asked.message.do !== "start") return;
    const { uid } = asked.message.order;
    this.#kept.push(uid);
    this.claim(uid);
    this.say({ is: "started", uid, pid: 0, start: "", started_ms: bootMs() });
  }

  /** Claims a batch and lets all of its elements begin. */
  claim(uid: string, may = 1_000): void {
    const dir = join(this.#data, "tasks", uid);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, FILES.claim), claimText(clocksNow(), []));
    this.write(uid, mayLine(may));
  }

  write(uid: string, lines: string): void {
    appendFileSync(join(this.#data, "tasks", uid, ELEMENTS), lines);
  }

  say(message: FromKeeper): void {
    this.#peer?.send(toldBy(message, clocksNow()));
  }

  /** Says that there is something new in the journal of a batch. */
  tell(uid: string): void {
    this.say({ is: "elements", uid, ended: 0, open: 0 });
  }

  /** Begins an element, whose process carries the mark of its batch. */
  began(uid: string, position: number, place: number, script = "exec sleep 60"): FoundProcess {
    const dir = join(this.#data, "tasks", uid, placeDir(place));
    mkdirSync(dir, { recursive: true });
    this.write(uid, beganLine(position, place, bootMs()));
    const [name = "", mark = ""] = markerOf(uid).split("=");
    const { pid } = Bun.spawn(["/bin/sh", "-c", script], {
      detached: true,
      env: { [name]: mark },
      stdio: ["ignore", Bun.file(join(dir, "stdout")), "ignore"],
    });
    return { pid, start: statOf(pid)?.start ?? "" };
  }

  ended(uid: string, position: number, end: ElementEnd = 0, why?: string): void {
    this.write(uid, endedLine(position, end, 5, why));
  }

  open(uid: string, places: number): void {
    this.write(uid, openLine(places));
  }

  /** Ends a batch as one of which nothing is left. */
  finish(uid: string): void {
    const now = bootMs();
    const exit = {
      exit_code: 0,
      signal: null,
      started_ms: now - 10,
      ended_ms: now,
      peak_memory_bytes: null,
      oom: false,
      left: 0,
      reason: null,
    };
    appendFileSync(join(this.#data, "tasks", uid, FILES.claim), exitLine(exit, clocksNow()));
    this.say({ is: "ended", uid, exit });
  }

  async hears(what: ToKeeper["do"]): Promise<void> {
    await waitUntil(`the keeper to hear ${what}`, () => this.heard.some((one) => one.do === what));
  }

  die(): void {
    this.#server.stop();
  }
}
