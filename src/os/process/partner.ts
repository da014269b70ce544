// A process that works beside this one: both send each other JSON lines through pipes. Each notices the end of the
// other by the end of its input.

import { writeSync } from "node:fs";
import { messageOf } from "../errors";
import { parsedJson } from "../files/json";
import { own } from "./own";
import { SYSTEM_PATH } from "./spawn";

export interface Partner {
  readonly pid: number;
  send(message: unknown): void;
  /** Closes the partner's input, by which it learns that this process is gone or done. */
  dismiss(): void;
  kill(): void;
}

export interface PartnerHandlers {
  /** Called for each line. Undefined stands for a line that is no JSON. */
  readonly heard: (message: unknown) => void;
  /** Called once, when the process has ended. */
  readonly ended: () => void;
}

/** Starts a partner in a session of its own. Returns why that failed otherwise. */
export function startPartner(argv: readonly string[], handlers: PartnerHandlers): Partner | string {
  try {
    const child = Bun.spawn([...argv], {
      stdio: ["pipe", "pipe", "ignore"],
      env: { PATH: SYSTEM_PATH },
      cwd: "/",
      detached: true,
      onExit: () => handlers.ended(),
    });
    own(child);
    eachLine(child.stdout, handlers.heard).catch(over);
    return {
      pid: child.pid,
      send(message) {
        unlessOver(() => child.stdin.write(`${JSON.stringify(message)}\n`));
        unlessOver(() => child.stdin.flush());
      },
      dismiss: () => unlessOver(() => child.stdin.end()),
      kill: () => child.kill("SIGKILL"),
    };
  } catch (error) {
    return messageOf(error);
  }
}

const over = (): void => undefined;

/**
 * Does something with the input of a partner. One that has ended takes nothing, and the call fails at once or later.
 * That it has ended is told by `ended`.
 */
function unlessOver(act: () => unknown): void {
  try {
    Promise.resolve(act()).catch(over);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/** Listens to the process that started this one as its partner, until that process is gone or is done with it. */
export const hearStarter = (heard: (message: unknown) => void): Promise<void> => eachLine(Bun.stdin.stream(), heard);

/** Sends a line to the process that started this one. A starter that is gone cannot hear it. */
export function tellStarter(message: unknown): void {
  try {
    writeSync(1, `${JSON.stringify(message)}\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

async function eachLine(stream: ReadableStream<Uint8Array>, heard: (message: unknown) => void): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) heard(parsedJson(line));
  }
}
