// The keys of the kernel's limits of a process. One value is both the soft and the hard limit.

import { z } from "zod";
import { readOpenFiles, readSize, readStack } from "../grammar/units";
import type { Parsed } from "../issue";
import { block, expects, key, quantity } from "./elements";

const SIZE = "a size such as `64MiB`, or `unlimited`";

const size = (read: (value: string | number) => Parsed<number>) =>
  z.union([z.literal("unlimited").transform(() => null), quantity(SIZE, read)], expects(SIZE)).optional();

export const processLimits = block(
  {
    nofile: key(
      quantity("a whole number", readOpenFiles).optional(),
      "Open files; default: 65536, and up to 1048576 for a program that raises its own",
      4_096,
    ),
    memlock: key(size(readSize), "Locked memory; default: unlimited", "unlimited", "64MiB"),
    core: key(size(readSize), "Size of a core file; default: none, up to unlimited for a program that raises it", 0),
    stack: key(size(readStack), "Stack; default: 8 MiB, up to unlimited for a program that raises it", "64MiB"),
  },
  "a map such as `{ nofile: 4096, memlock: unlimited }`",
);
