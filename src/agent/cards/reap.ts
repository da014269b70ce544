// Kills the processes that an ended task has left on a card, and says so once for each process.

import type { CardUser } from "../../core/agent/card-users";
import { sendSignal } from "../../os/process/signals";

const MOST_KILLED = 1_000;
const SIGKILL = 9;

/**
 * Returns a function that kills a process on a card. The process is proven to be an ended task's, and nothing else
 * would free the card.
 */
export function createReaper(say: (line: string) => void): (card_id: string, user: CardUser) => void {
  const killed = new Set<string>();
  return (card_id, { pid, start, command, task }) => {
    if (start === null) return;
    const sent = sendSignal({ pid, start }, SIGKILL, "one");
    const key = `${pid} ${start}`;
    if (killed.has(key)) return;
    if (killed.size > MOST_KILLED) killed.clear();
    killed.add(key);
    const what = `${command} (pid ${pid}), which ${task?.name ?? ""} has left on ${card_id}`;
    say(sent.is === "failed" ? `${what}, could not be killed: ${sent.why}` : `killed ${what}`);
  };
}
