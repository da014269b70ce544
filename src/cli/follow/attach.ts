// `orch run` in the foreground: makes the run, follows it, and on Ctrl-C asks whether to cancel the run or to detach.

import type { RunAnswer, RunDetail } from "../../wire/api/runs";
import type { Client } from "../../wire/client";
import { arrayOutcome } from "./array";
import { followRun, type Followed } from "./attached";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { exitOfRun } from "./outcome";
import { ownFault } from "./own-fault";
import { complain } from "../print/complain";
import { clean } from "../print/clean";

/** Makes the run, follows it, and returns the exit code of `orch run`. */
export async function attach(context: Context, make: (client: Client) => Promise<RunAnswer>): Promise<number> {
  try {
    const client = await context.client();
    const { revision } = await client.me();
    const { run } = await make(client);
    return await follow(context, client, run, revision);
  } catch (error) {
    return ownFault(context, error);
  }
}

async function follow(context: Context, client: Client, run: number, since: number): Promise<number> {
  const leave = new AbortController();
  const interrupt = interruptOf(context, client, run, leave);
  const stopListening = context.host.onInterrupt(interrupt.asked);
  try {
    const following = followRun({ context, client, run, since, signal: leave.signal, quiet: interrupt.quiet });
    // Who leaves waits for no request and no output that is under way.
    const followed = await Promise.race([following, aborted(leave.signal)]);
    if (followed === null) return sayLeft(context, run, interrupt);
    return interrupt.cancel() === "none" ? sayOutcome(context, followed) : sayCancelled(context, followed.run);
  } finally {
    stopListening();
  }
}

async function aborted(signal: AbortSignal): Promise<null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  if (signal.aborted) resolve(null);
  signal.addEventListener("abort", () => resolve(null), { once: true });
  return promise;
}

function sayLeft(context: Context, run: number, interrupt: Interrupt): number {
  const again = `cancel it again: orch cancel ${run}`;
  switch (interrupt.cancel()) {
    case "failed":
      context.note(`orch: run ${run} could not be cancelled, and goes on; ${again}`);
      return EXIT.own;
    case "asked":
      context.note(`orch: no server has answered yet, so run ${run} may go on; see: orch show ${run}; ${again}`);
      return EXIT.interrupted;
    case "taken":
      context.note(`orch: run ${run} is being cancelled; see: orch show ${run}`);
      return EXIT.interrupted;
    case "none":
      context.note(`orch: run ${run} goes on; see: orch logs -f ${run}`);
      return interrupt.detached() ? EXIT.done : EXIT.interrupted;
  }
}

function sayCancelled(context: Context, ended: RunDetail): number {
  context.note(`orch: run ${ended.run} ${ended.state}`);
  return EXIT.interrupted;
}

/** Says how a run ended, and returns the exit code of `orch run`. */
export function sayOutcome(context: Context, { run, isWhole }: Followed): number {
  const line = arrayOutcome(run);
  if (line !== null) context.note(`orch: ${clean(line)}`);
  const exit = exitOfRun(run);
  // Who reads the output of a job that succeeded takes it for all that the job wrote.
  return exit === EXIT.done && !isWhole ? EXIT.own : exit;
}

interface Interrupt {
  readonly asked: (signal: "SIGINT" | "SIGTERM") => void;
  /** Whether a cancel of the run was asked for, and whether a server has taken it. */
  readonly cancel: () => "none" | "asked" | "taken" | "failed";
  /** Whether the person has asked to leave the run alone. */
  readonly detached: () => boolean;
  /** Resolves when no question is open, so that output of the job does not run into it. */
  readonly quiet: () => Promise<void>;
}

/**
 * Returns the handler of interrupts. The first Ctrl-C asks (without a terminal it cancels), the second cancels, the
 * third leaves at once.
 */
function interruptOf(context: Context, client: Client, run: number, leave: AbortController): Interrupt {
  let state: "none" | "asking" | "cancelled" | "detached" = "none";
  const { input, err } = context.host;
  let question = closedQuestion();
  let told: ReturnType<Interrupt["cancel"]> = "none";

  async function cancel(): Promise<void> {
    state = "cancelled";
    told = "asked";
    // What waits for the answer goes on, also if none is typed any more.
    question.close();
    context.note(`orch: cancelling run ${run}`);
    try {
      await client.cancel(run);
      told = "taken";
    } catch (error) {
      told = "failed";
      throw error;
    }
  }
  async function ask(): Promise<void> {
    state = "asking";
    question = openQuestion();
    try {
      const answer = await answered();
      // A second Ctrl-C may have cancelled the run while the question was open.
      if (state !== "asking") return;
      state = "none";
      if (answer === "c") await cancel();
      else if (answer === "d") {
        state = "detached";
        leave.abort();
      }
    } finally {
      question.close();
    }
  }
  /** Asks until the answer is one of the three. At the end of the input nobody can be asked: the run is left alone. */
  async function answered(): Promise<"c" | "d" | ""> {
    for (let again = ""; ; again = "c, d or Enter. ") {
      const asked = `\norch: ${again}run ${run}: [c]ancel it (as Ctrl-C does), [d]etach, or Enter to go on? `;
      const typed = (await input.line(asked, false))?.trim().toLowerCase();
      if (state !== "asking" || typed === "") return "";
      if (typed === undefined) context.note("");
      if (typed === undefined || /^d(etach)?$/.test(typed)) return "d";
      if (/^c(ancel)?$/.test(typed)) return "c";
    }
  }
  const giveUp = (error: unknown): void => {
    complain(error, err);
    leave.abort();
  };
  return {
    asked(signal) {
      if (state === "cancelled") leave.abort();
      else if (state === "none" && signal === "SIGINT" && input.tty && err.tty) ask().catch(giveUp);
      else {
        // The cursor is still behind the question.
        if (state === "asking") context.note("");
        cancel().catch(giveUp);
      }
    },
    cancel: () => told,
    detached: () => state === "detached",
    quiet: () => question.closed,
  };
}

interface Question {
  readonly closed: Promise<void>;
  readonly close: () => void;
}

function openQuestion(): Question {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { closed: promise, close: resolve };
}

const closedQuestion = (): Question => ({ closed: Promise.resolve(), close: () => undefined });
