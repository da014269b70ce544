// The table of tasks as it changes: redrawn in place on a terminal, one line a change elsewhere.

import { pause } from "../../src/os/clock";
import type { TaskView } from "../../src/wire/api/tasks";
import type { Cluster } from "../../test/support/cluster";

const INTERVAL_MS = 150;

const factsOf = ({ name, state, node, reason }: TaskView): string =>
  [name.padEnd(18), state.padEnd(10), (node ?? "-").padEnd(6), reason ?? ""].join("  ").trimEnd();

export class LiveTable {
  readonly #cluster: Cluster;
  readonly #tty = process.stdout.isTTY;
  readonly #seen = new Map<string, string>();
  readonly #started = performance.now();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Shows what changes until the condition holds, then the whole table once. */
  async until(what: string, holds: (tasks: readonly TaskView[]) => boolean, deadline_ms: number): Promise<void> {
    const started = performance.now();
    let drawn = 0;
    for (;;) {
      const tasks = await this.#cluster.tasks("--all");
      if (this.#tty) drawn = await this.#redraw(drawn);
      else this.#printChanges(tasks);
      if (holds(tasks)) break;
      if (performance.now() - started > deadline_ms) throw new Error(`waited ${deadline_ms / 1000} s for ${what}`);
      await pause(INTERVAL_MS);
    }
    console.log(this.#tty ? "" : `\n$ orch ps --all\n${await this.#cluster.ok("ps", "--all")}`);
  }

  async #redraw(drawn: number): Promise<number> {
    const table = `$ orch ps --all\n${(await this.#cluster.ok("ps", "--all")).trimEnd()}\n`;
    // Up over what was drawn before, and away with it.
    process.stdout.write(`${drawn > 0 ? `\x1b[${drawn}A\x1b[J` : ""}${table}`);
    // Lines that are longer than the terminal is wide take several rows.
    const columns = process.stdout.columns;
    return table
      .trimEnd()
      .split("\n")
      .reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / columns)), 0);
  }

  #printChanges(tasks: readonly TaskView[]): void {
    for (const task of tasks) {
      const key = task.id ?? task.name;
      const facts = factsOf(task);
      // A task on its way up is news only when it got somewhere.
      if (this.#seen.get(key) === facts || ["assigned", "preparing", "starting"].includes(task.state)) continue;
      this.#seen.set(key, facts);
      const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
      console.log(`  ${seconds.padStart(5)} s  ${facts}`);
    }
  }
}
