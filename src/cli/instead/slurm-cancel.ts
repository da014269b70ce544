// scancel: whose runs it would end. A line that ends other runs than Slurm's would is never suggested.

import { numbersIn } from "./host-list";
import { sayAll, shown, type Instead } from "./line";
import type { SlurmLine, SlurmOption } from "./slurm-option";

export interface Ends {
  readonly runs?: readonly string[];
  readonly user?: string;
  readonly isMine?: boolean;
  readonly why?: string;
  /** Why no line ends the same runs. */
  readonly never?: string;
}
export type CancelOption = SlurmOption<Ends>;

const one =
  (value: CancelOption["value"]) =>
  (typed: string, becomes: CancelOption["becomes"]): CancelOption => ({ typed: typed.split(" "), value, becomes });
const bare = one("none");
const valued = one("needed");

const BY_NUMBER = "orch queue and orch ps show which runs those are; orch cancel takes their numbers";
const chosen = (): Ends => ({ never: BY_NUMBER });
const silent = (): Ends => ({});

export const SCANCEL: readonly CancelOption[] = [
  valued("-u --user", (user) => ({ user })),
  bare("--me", () => ({ isMine: true })),
  valued("-n --jobname --name", (typed) => ({ runs: typed.split(",") })),
  valued("-s --signal", (signal) =>
    /^(SIG)?(TERM|KILL|15|9)$/i.test(signal)
      ? {}
      : { never: "a signal that does not end a run is not built yet: orch cancel ends it" },
  ),
  ...["-t --state", "-p --partition", "-A --account", "-w --nodelist", "-q --qos", "-R --reservation", "--wckey"].map(
    (typed) => valued(typed, chosen),
  ),
  valued("-M --clusters", () => ({ why: "a command talks to one cluster: orch context use" })),
  ...["-b --batch", "-f --full", "-H --hurry", "-i --interactive", "-Q --quiet", "-v --verbose", "--ctld"].map(
    (typed) => bare(typed, silent),
  ),
];

/** `1,2`, `3-5` and `7.batch` as numbers of runs. Elements of arrays and names stay as they are. */
const runsIn = (typed: string): string[] =>
  /^\d[\d,-]*$/.test(typed) ? numbersIn(typed) : typed.split(",").map((run) => run.replace(/^(\d+)\.\w+$/, "$1"));

/** Returns what to type instead of a line of scancel that `me` has typed; null where nobody knows who that is. */
export function cancelInstead(line: SlurmLine<Ends>, me: string | null): Pick<Instead, "why" | "line"> {
  const all = line.given.map(({ option, value }) => option.becomes(value));
  const user = all.find((ends) => ends.user !== undefined)?.user;
  const runs = [...line.operands, ...all.flatMap((ends) => ends.runs ?? [])].flatMap(runsIn);
  const never = all.flatMap((ends) => ends.never ?? []);
  if (user !== undefined && user !== me)
    never.push(
      `orch cancel takes the numbers of runs: orch runs --user ${shown([user])} lists them; --mine is one's own`,
    );
  const element = runs.map((run) => /^(\d+)_/.exec(run)?.[1]).find((run) => run !== undefined);
  if (element !== undefined)
    never.push(`no single element of an array is cancelled: orch cancel ${element} ends all of it`);
  if (never.length > 0) return { why: sayAll(never), line: null };
  const isAll = runs.length === 0 && (user !== undefined || all.some((ends) => ends.isMine));
  const why = sayAll(all.flatMap((ends) => ends.why ?? []));
  return { why, line: `cancel ${isAll ? "--mine" : runs.length === 0 ? "<RUN>" : shown(runs)}` };
}
