// What the machine itself allows: the figures beside which all others stand.

import { fdatasyncSync, openSync, writeSync, closeSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { concurrently, median, percentile, repeated, row, type Bench } from "./figure";

const SPAWNS = 1_000;
const SYNCS = 200;
const ROUNDS = 2_000;

/** Returns how many `/bin/true` two at a time begin and end a second. */
async function spawns(): Promise<number> {
  const started = performance.now();
  await concurrently(SPAWNS, 2, async () => {
    await Bun.spawn(["/bin/true"], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
  });
  return (SPAWNS / (performance.now() - started)) * 1_000;
}

/** Returns the times of syncs of a few appended bytes, in ms. */
function syncs(): number[] {
  const path = join(tmpdir(), `orch-bench-${process.pid}`);
  const fd = openSync(path, "w");
  const took = Array.from({ length: SYNCS }, () => {
    writeSync(fd, "0123456789abcdef\n");
    const started = performance.now();
    fdatasyncSync(fd);
    return performance.now() - started;
  });
  closeSync(fd);
  rmSync(path);
  return took;
}

/** Returns the times of round trips of a small message over loopback, in ms. */
async function roundTrips(): Promise<number[]> {
  let heard: () => void = () => undefined;
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, data) {
        socket.write(data);
      },
    },
  });
  const client = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data: () => heard() } });
  const took = await repeated(ROUNDS, async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    heard = resolve;
    const started = performance.now();
    client.write("ping");
    await promise;
    return performance.now() - started;
  });
  client.end();
  server.stop(true);
  return took;
}

/** Returns how many processes of `/bin/true` this machine begins and ends a second: the limit of all jobs. */
export const spawnLimit = async (runs: number): Promise<number> => median(await repeated(runs, spawns));

export const machine: Bench = {
  name: "machine",
  about: "what the machine allows: processes a second, a sync, a round trip",
  measure: async ({ runs }) => [
    row("machine: /bin/true from two loops", await spawnLimit(runs), "/s"),
    row("machine: fdatasync of an append, p50", median(syncs()), "ms"),
    row("machine: fdatasync, p99", percentile(syncs(), 0.99), "ms"),
    row("machine: round trip over loopback, p50", median(await roundTrips()), "ms"),
  ],
};
