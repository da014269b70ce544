// A machine behind a router: a network namespace for an agent and one that forwards its packets, so that a single flow
// can be forgotten as a firewall forgets it. Packets of that flow vanish in both directions; new flows pass.

import { BINARY } from "./program";

/** Returns why this machine cannot make such a network, or null. */
export function noRouter(): string | null {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "not root";
  const missing = ["ip", "ss"].filter((name) => Bun.which(name) === null);
  return missing.length === 0 ? null : `no ${missing.join(", ")}`;
}

function run(...argv: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(argv, { stdin: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr.toString()}`);
  return stdout.toString();
}

export interface Router {
  /** The address of this side, on which a server may listen. */
  readonly address: string;
  /** The command line that runs the binary behind the router. */
  readonly inside: readonly string[];
  /** Forgets all TCP flows that are open from inside. Returns how many there were. */
  forget(): number;
  remove(): void;
}

export function makeRouter(): Router {
  const id = `${process.pid % 10_000}`;
  const [agent, router] = [`orch-a${id}`, `orch-r${id}`];
  const [near, far] = [`on${id}`, `of${id}`];
  const net = `10.${100 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 250}`;
  const at = (n: number): string => `${net}.${n}`;
  for (const name of [agent, router]) run("ip", "netns", "add", name);
  run("ip", "link", "add", near, "type", "veth", "peer", "name", "near", "netns", router);
  run("ip", "-n", router, "link", "add", far, "type", "veth", "peer", "name", "eth0", "netns", agent);
  run("ip", "address", "add", `${at(1)}/30`, "dev", near);
  run("ip", "link", "set", near, "up");
  run("ip", "-n", router, "address", "add", `${at(2)}/30`, "dev", "near");
  run("ip", "-n", router, "address", "add", `${at(5)}/30`, "dev", far);
  for (const link of ["near", far]) run("ip", "-n", router, "link", "set", link, "up");
  run("ip", "-n", agent, "address", "add", `${at(6)}/30`, "dev", "eth0");
  for (const link of ["eth0", "lo"]) run("ip", "-n", agent, "link", "set", link, "up");
  run("ip", "-n", agent, "route", "add", "default", "via", at(5));
  run("ip", "route", "add", `${at(4)}/30`, "via", at(2));
  run("ip", "netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  return {
    address: at(1),
    inside: ["ip", "netns", "exec", agent, BINARY],
    forget() {
      const open = run("ip", "netns", "exec", agent, "ss", "-Htn", "state", "established");
      const ports = [...open.matchAll(new RegExp(`${at(6).replaceAll(".", "\\.")}:(\\d+)`, "g"))].map(
        ([, port]) => port!,
      );
      for (const port of ports) {
        for (const end of ["sport", "dport"])
          run("ip", "-n", router, "rule", "add", "ipproto", "tcp", end, port, "blackhole");
      }
      return ports.length;
    },
    remove() {
      for (const name of [agent, router]) run("ip", "netns", "delete", name);
    },
  };
}
