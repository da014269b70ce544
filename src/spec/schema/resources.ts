// The keys that say what one task needs: cores, memory, disk, cards, and other things that nodes count.

import { z } from "zod";
import { GPU_VENDORS, readCardMemory, readGpu, readGpuCount, readModel, readShare } from "../grammar/gpu";
import { readCpu, readMemory, readSize } from "../grammar/units";
import { invalid, parsed, quoted, type Parsed } from "../issue";
import { ASK_LIMITS } from "../limits";
import { block, choice, expects, hintFlag, key, KEY_RULES, oneOrMany, quantity, reads, text, whole } from "./elements";

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

/** An unknown key names a countable. A key that looks like a slip of a known one is refused in check/keys.ts. */
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
          "with GPUs their share of what a reserve and daemons leave. A default gives way, down to 100m",
        "500m",
        2,
      ),
      memory: key(
        quantity("a size such as `1GiB`", readMemory).optional(),
        "Promised, and a hard limit. Default: 2 GiB a core, or the cores' part of a smaller node, promised without a " +
          "limit; with GPUs their share. A default gives way, down to 256 MiB",
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
