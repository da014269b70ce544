// The part that `orch agent join` and `orch up` share: an agent's flags, and the options that they become.

import { join } from "node:path";
import { digest128 } from "../../core/fresh";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Device } from "../../core/model/device";
import { SECOND_MS, type Ms } from "../../core/units";
import { parsedJson } from "../../os/files/json";
import { readDuration } from "../../spec/grammar/units";
import { type OptionDecl, readings, readAs, text, texts, word } from "../frame/command";
import type { Context } from "../context";
import { readOr } from "../cluster/contexts";
import type { AgentOptions, Capacity } from "../parts";
import { isCardId, readCapacity, readFakeDevices, readLabel, readTaint, type Pair } from "../typed/readers";
import type { Taint } from "../../core/model/workload";
import { VERSION } from "../frame/version";

/** The time for moving work away after SIGTERM if the flag has none. It is shorter than service managers wait. */
const TERM_MS = 60 * SECOND_MS;

const drainOnTerm: OptionDecl<Ms | null> = {
  flags: "--drain-on-term [DURATION]",
  about: "SIGTERM gives its work away within that time (60s), then ends it",
  many: false,
  read: (raw) => {
    if (raw === true) return TERM_MS;
    return typeof raw === "string" ? readAs("--drain-on-term", raw, readDuration) : null;
  },
};

/** What is given in several options is read as one list. */
const capacity: OptionDecl<Capacity | null> = {
  flags: "--capacity <AMOUNTS>",
  about: "the share it gives away: cpu=4,memory=8GiB,disk=…,licence.matlab=1",
  many: true,
  read: (raw) => (Array.isArray(raw) && raw.length > 0 ? readAs("--capacity", raw.join(","), readCapacity) : null),
};

export const AGENT_OPTIONS = {
  name: text("--name <NAME>", "name of the node (the machine's own)"),
  pool: text("--pool <POOL>", "pool of the node (default)"),
  label: readings("--label <K=V>", "a label of the node (again for more)", readLabel),
  taint: readings("--taint <K=V:EFFECT>", "a taint: no_schedule, prefer_not or no_execute (again for more)", readTaint),
  accounts: word("--accounts <MODE>", "whose Unix account a task runs as", ["existing", "create", "shared"]),
  capacity,
  termination: text(
    "--termination-notice <CMD|URL>",
    "asked every 5 s: exit code 0 or status 200 says that this machine goes, the output may say when",
  ),
  drain: drainOnTerm,
  device: texts(
    "--device <ID|fake:MODEL:MEMORY[:COUNT]>",
    "of its cards only this one, by its id; or claim some for tests (again for more)",
  ),
};

interface AgentFlags {
  readonly name: string | null;
  readonly pool: string | null;
  readonly label: readonly Pair[];
  readonly taint: readonly Taint[];
  readonly accounts: "existing" | "create" | "shared" | null;
  readonly capacity: Capacity | null;
  readonly device: readonly string[];
  readonly termination: string | null;
  readonly drain: Ms | null;
}

/**
 * Returns whether an agent of this data directory has joined before. Such an agent has an identity and needs no token.
 */
export const hasJoined = async (data_dir: string): Promise<boolean> =>
  (await readOr(join(data_dir, "agent", "identity.json"))) !== null;

/** Returns whether an agent of this data directory has asked to join, with a token that was not turned away. */
export async function hasAsked(data_dir: string): Promise<boolean> {
  const asking = parsedJson((await readOr(join(data_dir, "agent", "joining.json"))) ?? "");
  return typeof (asking as { readonly token?: unknown } | null | undefined)?.token === "string";
}

interface Joining {
  readonly urls: string[];
  readonly token: string | null;
  readonly previous: string | null;
  readonly data_dir: string;
  readonly ending: AgentEnding;
}

/**
 * The two ways to end an agent. `stop` ends it at once, and its tasks go on. `leave` ends it after its work has moved
 * away or ended.
 */
export interface AgentEnding {
  readonly stop: AbortController;
  readonly leave: AbortController;
}

export const newEnding = (): AgentEnding => ({ stop: new AbortController(), leave: new AbortController() });

/** Ends the agent in the way that the signal and the flag ask for. */
export function tellEnd(
  { stop, leave }: AgentEnding,
  signal: "SIGINT" | "SIGTERM",
  { drain }: Pick<AgentFlags, "drain">,
): void {
  if (signal === "SIGTERM" && drain !== null) leave.abort();
  else stop.abort();
}

/** Makes the countables whole numbers in their bound. Tasks ask for whole numbers, so a fraction never was of use. */
function countedWhole({ note }: Context, capacity: Capacity | null): Capacity | null {
  if (capacity?.countables === undefined) return capacity;
  const whole = ([name, count]: [string, number]): [string, number] => {
    const kept = Math.min(Math.floor(count), HOUSE_LIMITS.countable);
    if (kept !== count)
      note(`--capacity ${name}=${count} counts as ${kept}: whole numbers up to ${HOUSE_LIMITS.countable} are counted`);
    return [name, kept];
  };
  return { ...capacity, countables: Object.fromEntries(Object.entries(capacity.countables).map(whole)) };
}

export function agentOptions(context: Context, flags: AgentFlags, { ending, ...joining }: Joining): AgentOptions {
  const { name, pool, label, taint, accounts } = flags;
  // Ids of fake cards must differ between the agents of a cluster, so they are derived from the hostname and the data
  // directory.
  const seed = digest128(`${context.host.hostname}:${joining.data_dir}`).slice(0, 8);
  const cards = flags.device.filter(isCardId);
  const made: Device[] = flags.device.flatMap((one, n) =>
    isCardId(one) ? [] : readAs("--device", one, (raw) => readFakeDevices(raw, `${seed}${n}`)),
  );
  const devices = made.map((device, at) => ({
    ...device,
    index: made.slice(0, at).filter(({ vendor }) => vendor === device.vendor).length,
  }));
  return {
    ...joining,
    name,
    pool: pool ?? "default",
    labels: Object.fromEntries(label.map((one) => [one.key, one.value])),
    taints: [...taint],
    accounts: accounts ?? "existing",
    capacity: countedWhole(context, flags.capacity),
    devices,
    cards,
    termination_notice: flags.termination,
    leave: ending.leave.signal,
    drain_ms: flags.drain ?? TERM_MS,
    signal: ending.stop.signal,
    version: VERSION,
    joined: () => undefined,
    say: (line) => context.print(line),
  };
}
