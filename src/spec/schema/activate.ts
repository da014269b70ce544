// The keys that name an environment of programs on the node: a virtual one of Python's, or one of conda's.

import { readWorkdir } from "../grammar/process";
import { invalid, parsed, type Parsed } from "../issue";
import { block, key, reads, text } from "./elements";
import type { Activate } from "../../core/model/workload";

const dir = reads(text("a directory"), readWorkdir).optional();

export const activate = reads(
  block(
    {
      venv: key(dir, "A virtual environment: sets `VIRTUAL_ENV`", "/srv/recs/venv"),
      conda: key(dir, "An environment of conda: sets `CONDA_PREFIX`", "/opt/conda/envs/recs"),
    },
    "a map such as `{ venv: /srv/recs/venv }`",
  ),
  ({ venv, conda }): Parsed<Activate> => {
    if (venv !== undefined && conda === undefined) return parsed({ kind: "venv", dir: venv });
    if (conda !== undefined && venv === undefined) return parsed({ kind: "conda", dir: conda });
    return invalid("needs one of `venv` and `conda`", "such as `{ venv: /srv/recs/venv }`");
  },
);
