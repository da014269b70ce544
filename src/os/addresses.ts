// The addresses of this machine by which other machines reach it, the most probable one first.

import { networkInterfaces } from "node:os";
import { kernelText } from "./proc";

interface Address {
  readonly family: string;
  readonly address: string;
  readonly internal: boolean;
}

/** Interfaces by their names, as `os.networkInterfaces` gives them. */
export type Interfaces = Readonly<Record<string, readonly Address[] | undefined>>;

/** Bridges and ends of cables to containers and virtual machines: an address that most other machines do not reach. */
const INNER = /^(docker|br-|veth|virbr|vnet|lxc|lxd|cni|flannel|cali|kube|podman|tap|dummy)/;

/**
 * Returns the addresses that are neither loopback nor link-local: those of the interface of the default route first,
 * those of bridges to containers last, and of one interface IPv4 first.
 */
export function machineAddresses(
  interfaces: Interfaces = networkInterfaces(),
  routes: string = kernelText("/proc/net/route") ?? "",
): string[] {
  const outward = defaultInterface(routes);
  const rank = (name: string): number => (name === outward ? 0 : INNER.test(name) ? 2 : 1);
  return Object.entries(interfaces)
    .toSorted(([a], [b]) => rank(a) - rank(b))
    .flatMap(([, addresses = []]) => addresses.filter(isReachable).toSorted(byFamily))
    .map(({ address }) => address);
}

/** What every interface names for itself, and what only its own link understands, is no address for others. */
const isReachable = ({ internal, address }: Address): boolean =>
  !internal && !address.startsWith("169.254.") && !/^fe[89ab]/i.test(address);

const byFamily = (a: Address, b: Address): number => Number(a.family === "IPv6") - Number(b.family === "IPv6");

/** Returns the interface of the default route with the lowest metric, from /proc/net/route; null if there is none. */
function defaultInterface(routes: string): string | null {
  const found = routes
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000")
    .map(([name = "", , , , , , metric]) => ({ name, metric: Number(metric) }))
    .toSorted((a, b) => a.metric - b.metric);
  return found[0]?.name ?? null;
}
