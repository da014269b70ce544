// Tests which limits this machine can enforce. A limit that is only counted is no failure, and worth knowing before
// work comes.

import type { Limit } from "../../core/model/rows-node";
import type { Bench, Finding } from "./part";

export function testCgroups({ machine }: Bench): Promise<Finding[]> {
  const { cgroups, limits } = machine().facts;
  const all = Object.entries(limits ?? {}).filter((one): one is [string, Limit] => one[1] !== null);
  const counted = all.filter(([, limit]) => limit.is === "counted");
  const [verdict, detail] =
    counted.length === 0
      ? (["passed", `cgroups ${cgroups}: ${all.map(([name, limit]) => `${name} ${limit.is}`).join(", ")}`] as const)
      : (["warned", `only counted, not enforced: ${counted.map(inWords).join(", ")}`] as const);
  return Promise.resolve([{ name: "cgroups", required: false, verdict, detail, value: null, unit: null }]);
}

const inWords = ([name, { why }]: [string, Limit]): string => `${name}${why === null ? "" : ` (${why})`}`;
