// The virtual WebSocket: what `new WebSocket` makes inside the simulator. It behaves like the real one: nothing is
// received before it opens, messages that were on the way when one side closed may still arrive, and `onclose` comes
// last.

import type { Host, Owner } from "./host";
import type { Machine } from "./machine";
import { TERMINATED, type End, type Link, type Network } from "./network";

export interface SocketWorld {
  readonly host: Host;
  readonly network: Network;
  readonly machines: ReadonlyMap<Owner, Machine>;
  /** Called with what an agent sends before it travels. */
  readonly sent: (machine: Machine, data: string) => void;
  /** Returns what the network carries of what an agent sends. */
  readonly carried: (machine: Machine, data: string) => string;
  readonly accept: (link: Link) => End | null;
}

interface Handlers {
  onopen: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: { message: string }) => void) | null;
}

/** Replaces the real socket by the virtual one. Returns a function that restores it. */
export function installSockets(world: SocketWorld): () => void {
  const real = globalThis.WebSocket;
  class VirtualSocket implements Handlers {
    binaryType = "blob";
    onopen: Handlers["onopen"] = null;
    onmessage: Handlers["onmessage"] = null;
    onclose: Handlers["onclose"] = null;
    onerror: Handlers["onerror"] = null;
    #link: Link | null = null;
    #closing = false;
    readonly #machine: Machine;

    constructor() {
      const owner = world.host.current();
      const machine = owner === null ? undefined : world.machines.get(owner);
      if (owner === null || machine === undefined) throw new Error("a socket outside any simulated agent");
      this.#machine = machine;
      const end: End = {
        open: false,
        hear: (data) => world.host.enter(owner, () => this.onmessage?.({ data })),
        closed: (code, reason) => world.host.enter(owner, () => this.onclose?.({ code, reason })),
      };
      world.network.dial(machine.id, end, world.accept, (link) =>
        world.host.enter(owner, () => {
          this.#link = link;
          if (link === null) {
            this.onerror?.({ message: "the server cannot be reached" });
            this.onclose?.({ code: 1006, reason: "" });
          } else if (this.#closing) this.close();
          else this.onopen?.();
        }),
      );
    }

    send(data: string): void {
      if (this.#link === null) return;
      world.sent(this.#machine, data);
      world.network.send(this.#link, "up", world.carried(this.#machine, data));
    }

    /** Ends this end at once. The other end learns of it, if ever, by the network. */
    terminate(): void {
      this.close(TERMINATED, "");
    }

    close(code = 1000, reason = ""): void {
      this.#closing = true;
      if (this.#link !== null) world.network.close(this.#link, "up", code, reason);
    }
  }
  globalThis.WebSocket = VirtualSocket as unknown as typeof WebSocket;
  return () => {
    globalThis.WebSocket = real;
  };
}
