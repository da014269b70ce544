// The parts of a workload that ask for something: resources, place, ports, and how it is stopped and restarted.

import { z } from "zod";
import { invalid, parsed, quoted, type Parsed } from "../issue";
import { GPU_VENDORS, readCardMemory, readGpu, readGpuCount, readModel, readShare } from "../grammar/gpu";
import { mendTorn, readExpression, readLabelMap, readToleration, readTolerationMap } from "../grammar/labels";
import {
  block,
  choice,
  expects,
  filled,
  flag,
  hintFlag,
  key,
  KEY_RULES,
  oneOrMany,
  quantity,
  reads,
  text,
  whole,
} from "./leaves";
import { ASK_LIMITS } from "../limits";
import { readName } from "../grammar/names";
import { readPort, readPortNumber, readPublished } from "../grammar/ports";
import {
  readBackoff,
  readCpu,
  readGrace,
  readIdleTime,
  readMemory,
  readPercent,
  readSignal,
  readSize,
} from "../grammar/units";

export const name = (what: string) => reads(text(what), readName);
export const names = (what: string) => oneOrMany(filled("a name"), what);

const linked = z.union([z.boolean(), z.literal("prefer")], expects("`true`, `false` or `prefer`", hintFlag));

const gpu = reads(
  z.union(
    [
      z.number(),
      z.string(),
      block({
        count: key(
          reads(z.number(expects("a whole number")), readGpuCount).optional(),
          "How many cards (default 1)",
          2,
        ),
        memory: key(
          quantity("card memory such as `24GB` or `24GB..40GB`", readCardMemory).optional(),
          "Memory class of a card: a plain size means at least, `a..b` a range",
          "24GB",
          "24GB..40GB",
        ),
        model: key(
          oneOrMany(reads(text("a model"), readModel), "a model or a list of them").optional(),
          "Models that do; whole tokens count, so `A10` is not `A100`",
          "A100",
          ["A100", "H100"],
        ),
        vendor: key(
          choice(...GPU_VENDORS).optional(),
          "Vendor of the card; nvidia, or the pool's, when nothing is said",
          "amd",
        ),
        share: key(
          quantity("a size such as `8GB`", readShare).optional(),
          "So much of each card's memory instead of the whole card: several tasks share one",
          "8GB",
        ),
        linked: key(
          linked.optional(),
          "Whether several cards must be connected (NVLink, xGMI, one switch, one socket): `true` takes no others, " +
            "`prefer` (the default) the best connected that there are, `false` any",
          true,
          "prefer",
        ),
      }),
    ],
    expects("a GPU request such as `2`, `24GB`, `A100,H100:80GB:2` or a map"),
  ),
  readGpu,
);

/** A name that no typing error explains is a countable; what looks like a known key is caught in complaints.ts. */
const countable = whole(0, ASK_LIMITS.countable);
const readCountable = (text: string): Parsed<string> =>
  /^[a-z][a-z0-9._-]{0,62}$/.test(text)
    ? parsed(text)
    : invalid(
        `${quoted(text)} is not the name of a countable`,
        "lower-case letters, digits and `._-`: `licence.matlab`",
      );

export const resources = z
  .object(
    {
      cpu: key(
        quantity("cores such as `2` or `500m`", readCpu).optional(),
        "Cores, or thousandths: guaranteed, may burst. Default 100m for entries of a file, 1 for `orch run`; " +
          "with GPUs their share of the node",
        "500m",
        2,
      ),
      memory: key(
        quantity("a size such as `1GiB`", readMemory).optional(),
        "Promised, and a hard limit. Default: 2 GiB a core, at least 256 MiB, promised without a limit; " +
          "with GPUs their share",
        "1GiB",
      ),
      disk: key(quantity("a size such as `10GiB`", readSize).prefault(0), "Room on the node's data disk", "10GiB"),
      gpu: key(
        gpu.optional(),
        "Graphics cards, see the grammar below; without it none are visible",
        2,
        "24GB..40GB:2",
        "A100,H100:80GB",
      ),
    },
    expects("a map of keys"),
  )
  .catchall(countable)
  .register(KEY_RULES, { read: readCountable });

const labelValue = oneOrMany(text(), "a value or a list of values");
const placeLabels = z.union(
  [
    reads(text(), readExpression).transform((check) => [check]),
    z.array(text("a label expression")).transform((items, context) =>
      mendTorn(items).flatMap(({ at, expression }) => {
        const read = readExpression(expression);
        if (read.is === "parsed") return [read.value];
        const message = read.hint === null ? read.message : `${read.message}\n${read.hint}`;
        context.issues.push({ code: "custom", message, input: items, path: [at] });
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

export const place = block({
  pool: key(name("the name of a pool").optional(), "Pool of nodes; default: `default`", "gpu"),
  labels: key(
    placeLabels.prefault([]),
    "Labels of the node: a map, or expressions. `os`, `arch` and `hostname` are automatic, " +
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
});

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

export const stop = block({
  signal: key(
    reads(text("a signal's name"), readSignal).prefault("TERM"),
    "Signal that asks the task to end",
    "TERM",
    "INT",
  ),
  grace: key(
    quantity("a duration such as `10s`", readGrace).prefault("10s"),
    "How long it may take before everything left is killed",
    "10s",
  ),
});

export const restart = block(
  {
    backoff: key(
      quantity("a range of durations such as `1s..1m`", readBackoff).prefault("1s..1m"),
      "Pause before the next attempt: from the first to the longest, doubled each time",
      "1s..1m",
    ),
    attempts: key(
      z
        .union([z.literal("unlimited"), whole(0, ASK_LIMITS.attempts)], expects("a whole number or `unlimited`"))
        .prefault("unlimited"),
      "Crashes in a row that are put up with",
      "unlimited",
      5,
    ),
    offline: key(
      flag().optional(),
      "Whether the node restarts it alone, also while cut off; default true, false when `exclusive`",
    ),
  },
  "a map such as `{ backoff: 1s..1m, attempts: unlimited }`",
);

export const idle = block(
  {
    gpu_below: key(
      quantity("a percentage such as `5%`", readPercent).prefault("5%"),
      "A card that is used less than this is idle; a task's cards all have to be",
      "5%",
    ),
    for: key(
      quantity("a duration such as `30m`", readIdleTime).prefault("30m"),
      "How long without a break; the server's start begins it anew",
      "30m",
    ),
    // oxlint-disable-next-line unicorn/no-thenable -- the spec file's own word
    then: key(
      choice("notify", "stop").prefault("notify"),
      "`notify` tells it in `orch events`; `stop` ends it: a run is cancelled, a replica waits for `orch restart`",
    ),
    only_if_wanted: key(flag().prefault(true), "Only while somebody else waits for a card that this would free"),
  },
  "a map such as `{ gpu_below: 5%, for: 30m, then: stop }`",
);
