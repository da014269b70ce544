// Which address of a machine is told to others: the one that most probably leads to it.

import { expect, test } from "bun:test";
import { type Interfaces, machineAddresses } from "../../src/os/addresses";

const of = (address: string, internal = false) => ({
  address,
  family: address.includes(":") ? "IPv6" : "IPv4",
  internal,
});

const BOX: Interfaces = {
  lo: [of("127.0.0.1", true), of("::1", true)],
  docker0: [of("172.17.0.1")],
  "br-5f2a": [of("172.18.0.1")],
  eth0: [of("fe80::1"), of("2001:db8::5"), of("192.0.2.5")],
  wlan0: [of("198.51.100.7")],
  usb0: [of("169.254.3.4")],
};

const HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT";
const route = (name: string, metric: number, destination = "00000000", mask = "00000000"): string =>
  `${name}\t${destination}\t010200C0\t0003\t0\t0\t${metric}\t${mask}\t0\t0\t0`;

test("the interface of the default route comes first, bridges to containers last", () => {
  const routes = [HEAD, route("wlan0", 600), route("eth0", 100), route("docker0", 0, "000011AC", "0000FFFF")].join(
    "\n",
  );
  expect(machineAddresses(BOX, routes)).toEqual([
    "192.0.2.5",
    "2001:db8::5",
    "198.51.100.7",
    "172.17.0.1",
    "172.18.0.1",
  ]);
  expect(machineAddresses(BOX, [HEAD, route("wlan0", 0)].join("\n"))[0]).toBe("198.51.100.7");
});

test("without a default route no bridge comes before a card", () => {
  expect(machineAddresses(BOX, "")).toEqual(["192.0.2.5", "2001:db8::5", "198.51.100.7", "172.17.0.1", "172.18.0.1"]);
});

test("what only this machine or one link understands is no address", () => {
  expect(machineAddresses({ lo: [of("127.0.0.1", true)], usb0: [of("169.254.3.4"), of("fe80::9")] }, "")).toEqual([]);
});
