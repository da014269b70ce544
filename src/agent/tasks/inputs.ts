// Fetches what tasks read from standard input, part by part, from their server: into the task's own directory, before
// the task may begin. The parts of several tasks take turns, one at a time.

import type { BlockedStart } from "../../core/agent/step";
import type { Assignment } from "../../core/model/record";
import type { InputRef } from "../../core/model/workload";
import type { BootMs, Ms } from "../../core/units";
import { pause } from "../../os/clock";
import { messageOf } from "../../os/errors";
import type { InputFiles } from "./input-files";

export type FetchAnswer =
  | { readonly is: "part"; readonly bytes: Uint8Array }
  /** The server does not send it now. `why` is the server's. */
  | { readonly is: "unfetched"; readonly why: string }
  | { readonly is: "unconnected" };

/** Asks the server for the next part of a task's input, from an offset. One call at a time. */
export type FetchPart = (uid: string, offset: number) => Promise<FetchAnswer>;

/** Where the inputs of accepted tasks are. */
export interface TaskInputs {
  /** Goes on with the inputs of these tasks, and leaves those of all others. */
  want(tasks: readonly Assignment[]): void;
  /** Returns the wanted tasks whose input is not whole here, each with what it waits for. */
  readonly fetching: ReadonlyMap<string, string>;
  /** Returns those whose input cannot be written here, or is another one than was said. */
  readonly failing: ReadonlyMap<string, BlockedStart>;
  onChange(listener: () => void): void;
  stop(): void;
}

export interface TaskInputsOptions {
  readonly files: InputFiles;
  readonly ask: FetchPart;
  readonly clock: () => BootMs;
  readonly say: (line: string) => void;
}

const FETCHES = "fetches its standard input";
const AWAITS = "waits for its server to send its standard input";
/** How long after a part that did not come the server is asked again. */
const AGAIN_MS: Ms = 500;

interface Fetching {
  readonly uid: string;
  readonly ref: InputRef;
  readonly left: AbortController;
}

/** What is said of the tasks whose input is not here. */
interface Notes {
  readonly fetching: Map<string, string>;
  readonly failing: Map<string, BlockedStart>;
  readonly note: (uid: string, why: string) => void;
  readonly fail: (uid: string, why: string) => void;
  /** Notes that a part was written. An input that was another one is mended only once all of it is here. */
  readonly mend: (uid: string) => void;
  readonly drop: (uid: string) => void;
}

function createNotes(clock: () => BootMs, changed: () => void): Notes {
  const fetching = new Map<string, string>();
  const failing = new Map<string, BlockedStart>();
  return {
    fetching,
    failing,
    note(uid, why) {
      if (fetching.get(uid) === why) return;
      fetching.set(uid, why);
      changed();
    },
    fail(uid, why) {
      const before = failing.get(uid);
      if (before?.why === why) return;
      failing.set(uid, { why, since_ms: before?.since_ms ?? clock(), at: "stdin" });
      changed();
    },
    mend(uid) {
      if (failing.get(uid)?.why !== WRONG && failing.delete(uid)) changed();
    },
    drop(uid) {
      fetching.delete(uid);
      failing.delete(uid);
    },
  };
}

export function createInputs(options: TaskInputsOptions): TaskInputs {
  const under_way = new Map<string, Fetching>();
  const here = new Set<string>();
  let listener = (): void => undefined;
  const notes = createNotes(options.clock, () => listener());
  const fetchWhole = fetcherOf(options, notes);

  async function begin(one: Fetching): Promise<void> {
    const { uid, ref, left } = one;
    if (!(await options.files.hasInput(uid, ref))) await fetchWhole(one);
    if (left.signal.aborted) return;
    under_way.delete(uid);
    here.add(uid);
    notes.drop(uid);
    listener();
  }

  function leave({ uid, left }: Fetching): void {
    left.abort();
    under_way.delete(uid);
    notes.drop(uid);
  }

  return {
    fetching: notes.fetching,
    failing: notes.failing,
    want(tasks) {
      const wanted = new Map(tasks.flatMap(({ uid, stdin }) => (stdin === undefined ? [] : [[uid, stdin] as const])));
      for (const one of under_way.values()) if (!wanted.has(one.uid)) leave(one);
      for (const uid of here) if (!wanted.has(uid)) here.delete(uid);
      for (const [uid, ref] of wanted) {
        if (here.has(uid) || under_way.has(uid)) continue;
        const one = { uid, ref, left: new AbortController() };
        under_way.set(uid, one);
        notes.fetching.set(uid, FETCHES);
        begin(one).catch((error: unknown) => {
          options.say(`task ${uid}: its standard input: ${messageOf(error)}`);
          notes.fail(uid, messageOf(error));
        });
      }
    },
    onChange(next) {
      listener = next;
    },
    stop() {
      listener = () => undefined;
      for (const one of under_way.values()) leave(one);
    },
  };
}

/** Returns the function that fetches one input. It resolves when the input is here, or was left. */
function fetcherOf({ files, ask }: TaskInputsOptions, { mend, note, fail }: Notes): (one: Fetching) => Promise<void> {
  let turn: Promise<unknown> = Promise.resolve();

  function nextPart({ uid, left }: Fetching, offset: number): Promise<FetchAnswer> {
    const answer = turn.then(() => (left.signal.aborted ? { is: "unconnected" as const } : ask(uid, offset)));
    turn = Promise.allSettled([answer]);
    return answer;
  }

  /** Fetches and writes the part at an offset. Returns the offset to go on from. */
  async function onePart(one: Fetching, offset: number): Promise<number> {
    const { uid, ref, left } = one;
    const answer = await nextPart(one, offset);
    if (left.signal.aborted) return offset;
    if (answer.is !== "part") {
      note(uid, answer.is === "unfetched" ? `${AWAITS}: ${answer.why}` : AWAITS);
      return offset;
    }
    note(uid, FETCHES);
    const after = offset + answer.bytes.length;
    if (after === offset || after > ref.bytes) {
      fail(uid, WRONG);
      return 0;
    }
    const written = await files.writeInput(uid, offset, answer.bytes);
    if (left.signal.aborted) return offset;
    if (written.is !== "done") {
      fail(uid, `${UNWRITTEN}: ${written.why}`);
      return offset;
    }
    mend(uid);
    return after;
  }

  return async (one) => {
    const { uid, ref, left } = one;
    for (let offset = 0; !left.signal.aborted;) {
      const before = offset;
      offset = await onePart(one, offset);
      if (offset === ref.bytes) {
        const kept = await files.keepInput(uid, ref);
        if (left.signal.aborted || (kept.is === "done" && kept.value)) return;
        fail(uid, kept.is === "done" ? WRONG : `${UNWRITTEN}: ${kept.why}`);
        offset = 0;
      }
      if (offset <= before) await pause(AGAIN_MS, left.signal);
    }
  };
}

const WRONG = "the standard input that came is another one than was uploaded";
const UNWRITTEN = "its standard input cannot be written";
