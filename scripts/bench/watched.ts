// What a watcher of the cluster has seen: benches wait on the server's own stream of changes, as a dashboard would.

import type { Client } from "../../src/wire/client";
import type { WatchEvent } from "../../src/wire/api/watch";

export class Watched {
  readonly #abort = new AbortController();
  #listeners = new Set<(event: WatchEvent) => void>();
  readonly done: Promise<void>;

  private constructor(client: Client, revision: number) {
    this.done = this.#follow(client, revision);
  }

  /** Watches from the present revision on: nothing that follows from a later request is missed. */
  static async open(client: Client): Promise<Watched> {
    return new Watched(client, (await client.me()).revision);
  }

  async #follow(client: Client, revision: number): Promise<void> {
    try {
      for await (const event of client.watch(revision, this.#abort.signal)) {
        for (const listener of this.#listeners) listener(event);
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    }
  }

  /** Calls the listener with each event from now on, before those who wait for one. */
  each(listener: (event: WatchEvent) => void): void {
    this.#listeners.add(listener);
  }

  /** Resolves with the time of the first event that matches; listens from the moment of the call. */
  async until(matches: (event: WatchEvent) => boolean, deadline_ms: number, what: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#listeners.delete(listener);
        reject(new Error(`waited ${deadline_ms / 1000} s for ${what}`));
      }, deadline_ms);
      const listener = (event: WatchEvent): void => {
        try {
          if (!matches(event)) return;
          resolve(performance.now());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        clearTimeout(timer);
        this.#listeners.delete(listener);
      };
      this.#listeners.add(listener);
    });
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.done;
  }
}
