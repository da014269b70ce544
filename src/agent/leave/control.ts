// The agent's socket for programs of its own account on this machine, since the agent opens no port.

import { join } from "node:path";
import type { BootMs } from "../../core/units";
import { wordsOf } from "../../os/files/disk";
import { removeFile } from "../../os/files/files";
import { listenLines, longestPath, type LineHandlers, type LinePeer } from "../../os/files/lines";
import { AGENT_SOCKET, toLocalAgent, type FromLocalAgent, type ToLocalAgent } from "../../wire/local";
import { fromValue } from "../../wire/text";
import type { LeaveRequests } from "./requests";

export interface ControlOptions {
  /** `<data>/agent`. */
  readonly data: string;
  readonly requests: LeaveRequests;
  readonly clock: () => BootMs;
  readonly name: () => string;
  readonly say: (line: string) => void;
}

export interface Control {
  /** Reports to everybody who waits that the node is out of the cluster. */
  left(): void;
  close(): void;
}

export function openControl(options: ControlOptions): Control {
  const { data, requests, clock, name, say } = options;
  const path = join(data, AGENT_SOCKET);
  if (Buffer.byteLength(path) > longestPath) {
    say(`${path} is too long a path for a socket: orch agent leave will not find this agent`);
    return { left: () => undefined, close: () => undefined };
  }
  const waiting = new Set<LinePeer>();
  const tell = (message: FromLocalAgent): void => {
    for (const peer of waiting) peer.send(message);
  };
  let told = "";
  const unwatch = requests.watch((progress) => {
    if (!requests.wants("leave")) return stays();
    const news = JSON.stringify(progress);
    if (news === told) return;
    told = news;
    tell({ is: "leaving", name: name(), ...progress });
  });

  function stays(): void {
    tell({ is: "stays", name: name(), why: "it was told to stay" });
    waiting.clear();
  }

  function take(peer: LinePeer, message: ToLocalAgent): void {
    told = "";
    if (message.do === "leave") {
      waiting.add(peer);
      const until_ms = message.in_ms === null ? null : clock() + message.in_ms;
      requests.begin("leave", { until_ms, gone: false, why: "it is being taken out of the cluster" });
    } else {
      requests.withdraw("leave");
      waiting.add(peer);
      stays();
    }
  }

  const greet = (peer: LinePeer): LineHandlers => ({
    message(message) {
      const read = fromValue(toLocalAgent, message);
      if (read.is === "read") return take(peer, read.value);
      say(`a message to ${path} was not understood: ${read.why}`);
      peer.close();
    },
    closed() {
      waiting.delete(peer);
    },
  });
  const server = listenOn(path, greet, say);
  return {
    left: () => tell({ is: "left", name: name() }),
    close() {
      unwatch();
      server?.close();
    },
  };
}

/** Listens on the socket. On a disk that takes nothing nobody can ask, and everything else goes on. */
function listenOn(
  path: string,
  greet: (peer: LinePeer) => LineHandlers,
  say: (line: string) => void,
): { close(): void } | null {
  const clear = (): void => {
    // This process has the directory's lock, so a socket that is there is its own, or of an agent that was killed.
    removeFile(path);
  };
  try {
    clear();
    const server = listenLines(path, greet);
    return {
      close() {
        server.stop();
        try {
          clear();
        } catch (error) {
          say(`${path} is left: ${wordsOf(error)}`);
        }
      },
    };
  } catch (error) {
    say(`orch agent leave cannot reach this agent: ${wordsOf(error)}`);
    return null;
  }
}
