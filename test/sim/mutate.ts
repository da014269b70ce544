// Preloaded by a run with a mutant: rewrites the source files that the mutant edits. `bun run sim --mutant NAME --seeds
// 1..300`

import { join, relative } from "node:path";
import { plugin } from "bun";
import { mutated } from "./mutant";
import { MUTANTS } from "./mutants";

const root = join(import.meta.dir, "../..");
const at = process.argv.indexOf("--mutant");
const name = at < 0 ? null : process.argv[at + 1];
const mutant = MUTANTS.find((one) => one.name === name);
if (name !== null && mutant === undefined) throw new Error(`there is no mutant ${name}`);
if (mutant !== undefined) {
  plugin({
    name: "mutant",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async (args) => {
        const text = await Bun.file(args.path).text();
        return { contents: mutated(mutant, relative(root, args.path), text), loader: "ts" };
      });
    },
  });
}
