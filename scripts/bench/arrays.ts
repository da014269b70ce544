// Elements of an array per second, `/bin/true` each, on many places and on few, and what an element costs each part.

import type { Cluster } from "../../test/support/cluster";
import { median, repeated, rounded, row, type Bench, type Row } from "./figure";
import { SMALL, spent, startPlaces, type Part } from "./spent";
import { Watched } from "./watched";

const DEADLINE_MS = 600_000;

/** Returns the seconds from the request to the end of the array, as a watcher receives it. */
async function finish(cluster: Cluster, elements: number): Promise<number> {
  const client = cluster.client();
  const watched = await Watched.open(client);
  let asked: number | null = null;
  const over = watched.until(
    (event) => {
      if (event.kind !== "run" || event.run.finished_ms === null) return false;
      const { run, state, reason } = event.run;
      if (state !== "succeeded") throw new Error(`run ${run} ${state}: ${reason}`);
      return asked === null || run === asked;
    },
    DEADLINE_MS,
    `${elements} elements to finish`,
  );
  const started = performance.now();
  const job = {
    command: ["/bin/true"],
    array: `0-${elements - 1}`,
    resources: SMALL,
  };
  asked = (await client.run({ name: null, project: null, job, wait_for_nodes: false })).run;
  const seconds = ((await over) - started) / 1000;
  await watched.close();
  return seconds;
}

/** What an element may cost beside its own process, in ms of CPU. */
const MOST_MS = { server: 0.05, agents: 0.05, keepers: 0.3 } as const;

async function measured(elements: number, places: number, runs: number): Promise<Row[]> {
  const cluster = await startPlaces(places);
  try {
    await finish(cluster, 200);
    const before = spent(cluster);
    const seconds = median(await repeated(runs, async () => finish(cluster, elements)));
    const after = spent(cluster);
    const what = `array of ${elements.toLocaleString("en-US")} on ${places} places`;
    const cost = (part: Part): Row => {
      const each = (after[part] - before[part]) / elements / runs;
      return row(`${what}: CPU of the ${part} an element`, each, "ms", { at_most: MOST_MS[part] });
    };
    return [
      row(`${what}, elements finished`, elements / seconds, "a second", { at_least: 1_300 }),
      ...(["server", "agents", "keepers"] as const).map(cost),
    ];
  } finally {
    await cluster.close();
  }
}

export const arrays: Bench = {
  name: "arrays",
  about: "elements of arrays of /bin/true per second, four agents",
  async measure({ runs, say }) {
    const rows: Row[] = [];
    for (const places of [256, 8]) {
      for (const elements of [1_000, 100_000]) {
        say(`${rounded(elements)} elements on ${places} places`);
        rows.push(...(await measured(elements, places, elements > 10_000 ? 1 : runs)));
      }
    }
    return rows;
  },
};
