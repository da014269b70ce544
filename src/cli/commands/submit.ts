// `orch submit APP.JOB`: runs an app's job again, and leaves it alone.

import { command, flag, texts } from "../frame/command";
import { EXIT, UsageError } from "../failure";
import { isJobName, refuseNumber, runJobAgain } from "../follow/again";
import { answerSlurm, scriptAt } from "../typed/batch-lines";
import { environmentOf } from "../typed/files";

export const submit = command({
  operands: ["<APP.JOB>", "[ARGS...]"],
  reads: true,
  options: {
    env: texts("-e, --env <K[=V]>", "a variable more, from here without =V (again for more)"),
    envFile: texts("--env-file <FILE>", "a file of variables (again for more)"),
    waitForNodes: flag("--wait-for-nodes", "take it even if no known node can ever run it"),
  },
  examples: [
    ["orch submit recs.train --env LR=3", "prints the run's number; see orch logs, orch queue"],
    ["orch submit recs.train -- --lr 3", "arguments are added to the job's own"],
  ],
  async run(context, { args: [typed = "", ...args], flags, shape }) {
    // A script may have a name that a job could have, as train.sh.
    refuseNumber(typed, "submit");
    if (!isJobName(typed) || (await scriptAt(typed, context.host)) !== null) {
      const answer = await answerSlurm(["sbatch", typed, ...args], context.host);
      const instead = answer?.is === "instead" ? answer.instead : null;
      const why = instead?.why == null ? "" : ` (${instead.why})`;
      const until = `Until then: orch ${instead?.line ?? "run -d -- CMD"}`;
      throw new UsageError(`${typed}: scripts are not submitted yet, only jobs of apps${why}`, until);
    }
    const env = await environmentOf(context, flags);
    const made = await runJobAgain(await context.client(), typed, { args, env, wait_for_nodes: flags.waitForNodes });
    if (shape === "json") context.json(made);
    else context.print(String(made.run));
    return EXIT.done;
  },
});
