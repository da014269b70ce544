// The keys that say where a task may run, and which ports of its node it gets.

import { z } from "zod";
import { mendTorn, readExpression, readLabelMap, readToleration, readTolerationMap } from "../grammar/labels";
import { readPort, readPortNumber, readPublished } from "../grammar/ports";
import {
  asWritten,
  block,
  choice,
  expects,
  key,
  oneOrMany,
  quantity,
  reads,
  text,
  name,
  names,
  complain,
} from "./elements";

const labelValue = oneOrMany(text(), "a value or a list of values");
const placeLabels = z.union(
  [
    reads(text(), readExpression).transform((check) => [check]),
    z.array(text("a label expression")).transform((items, context) =>
      mendTorn(items).flatMap(({ at, expression }) => {
        const read = readExpression(expression);
        if (read.is === "parsed") return [read.value];
        complain(context, read, items, [at]);
        return [];
      }),
    ),
    reads(z.record(z.string(), labelValue), readLabelMap),
  ],
  expects("a map of labels or a list of label expressions"),
);

const tolerations = z.union(
  [
    reads(text(), readToleration).transform((one) => [one]),
    z.array(reads(text("a taint"), readToleration)),
    reads(z.record(z.string(), text()), readTolerationMap),
  ],
  expects("a list of taints such as `team=vision`"),
);

function hintPlace(input: unknown): string | null {
  const names = (Array.isArray(input) ? input : [input]).map(asWritten);
  if (names.some((one) => one === null)) return null;
  const [first = ""] = names;
  const pool = names.length === 1 ? `; a pool is \`place: { pool: ${first} }\`` : "";
  return `a node is \`place: { hosts: [${names.join(", ")}] }\`${pool}`;
}

export const place = block(
  {
    pool: key(name("the name of a pool").optional(), "Pool of nodes; default: `default`", "gpu"),
    labels: key(
      placeLabels.prefault([]),
      "Labels of the node: a map, or expressions. `node` (its name), `os`, `arch` and `hostname` are automatic, " +
        "and `os` is linux unless it is named here",
      { zone: "a" },
      ["zone in (a, b)", "!old"],
    ),
    tolerate: key(tolerations.prefault([]), "Taints of nodes that do not keep it away: `key` or `key=value`", [
      "team=vision",
    ]),
    spread: key(
      choice("node", "pack").prefault("pack"),
      "`node` puts its tasks on different nodes as far as possible, `pack` fills nodes",
    ),
    together_with: key(
      names("a workload's name or a list").prefault([]),
      "Workloads of this app that it runs on the same node with",
      ["db"],
    ),
    apart_from: key(
      names("a workload's name or a list").prefault([]),
      "Workloads of this app whose nodes it stays away from",
      ["batch"],
    ),
    hosts: key(
      oneOrMany(name("the name of a node"), "a node's name or a list").prefault([]),
      "Names of the only nodes it may run on",
      ["box1"],
    ),
  },
  "a map such as `{ hosts: [box1] }`",
  hintPlace,
);

export const port = reads(
  z.union(
    [
      z.number(),
      z.string(),
      block({
        target: key(
          reads(z.number(expects("a port number")), readPortNumber).optional(),
          "Port inside; default: the published one",
          5432,
        ),
        published: key(
          quantity("a port number or `auto`", readPublished).prefault("auto"),
          "Port of the node, or `auto`: any free one",
          "auto",
          8080,
        ),
        bind: key(
          choice("cluster", "loopback").prefault("cluster"),
          "Who reaches it: the cluster's network, or only the node itself",
        ),
      }),
    ],
    expects("a port number, `auto` or a map"),
  ),
  readPort,
);
