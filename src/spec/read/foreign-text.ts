// Tells a whole file of another tool before YAML is read from it, since its errors would say nothing about that.

import type { Issue } from "../issue";

interface Foreign {
  readonly looks: RegExp;
  readonly message: string;
  readonly hint: string;
}

const FOREIGN: readonly Foreign[] = [
  {
    looks: /^#SBATCH[ \t]/m,
    message: "is a batch script, not a spec",
    hint: "run it: `orch run -d -- bash FILE`, with what its `#SBATCH` lines say as flags",
  },
  { looks: /^#!/, message: "is a script, not a spec", hint: "run it: `orch run -- ./FILE`" },
  {
    looks: /^[ \t]*(job|group|task|variable|resource|module|terraform)([ \t]+"[^"\n]{0,99}"){0,2}[ \t]*\{$/m,
    message: "is HCL, as of Nomad or Terraform",
    hint: "a spec is YAML: `app: NAME`, then `services:` and `jobs:`",
  },
  {
    looks: /^FROM[ \t]+[^\s:]\S{0,200}([ \t]+AS[ \t]+\S{1,100})?$/im,
    message: "is a Dockerfile, not a spec",
    hint: "images are not built yet; a spec's `run` starts a process",
  },
  {
    looks: /^\[(Unit|Service)\]$/m,
    message: "is a unit of systemd, not a spec",
    hint: "write its `ExecStart` as `run`",
  },
];

/**
 * Returns the issue of a file of another tool, at its first line that tells, or null. The expressions stay within a
 * line, so that a file of nothing but spaces or line ends costs no more than its length.
 */
export function foreignText(text: string): Issue | null {
  if (/^app[ \t]*:/m.test(text)) return null;
  for (const { looks, message, hint } of FOREIGN) {
    const found = looks.exec(text);
    if (found === null) continue;
    const line = text.slice(0, found.index).split("\n").length;
    return { line, column: 1, path: "", message, hint };
  }
  return null;
}
