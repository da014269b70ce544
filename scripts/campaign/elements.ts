// One array of many elements while server, agents and keepers are killed: each element notes its beginning and its end
// in a file, and afterwards what orch says of each is held against that.

import { readFileSync } from "node:fs";
import { UnreachableError, type Client } from "../../src/wire/client";
import { waitUntil } from "../../test/support/wait";
import type { Verdict } from "./audit";
import type { Field } from "./field";

const SETTLED_MS = 900_000;
const PAGE = 1_000;

/** The exit code of an element. */
const codeOf = (slot: number): number => (slot % 97 === 0 ? 3 : 0);

/** Submits the array. Returns its run. */
export async function submitElements(client: Client, elements: number, notes: string): Promise<number> {
  const script =
    `echo "b $ORCH_SLOT $ORCH_ATTEMPT" >> ${notes}; ` +
    `echo "e $ORCH_SLOT $ORCH_ATTEMPT" >> ${notes}; [ $((ORCH_SLOT % 97)) -ne 0 ] || exit 3`;
  const job = {
    command: ["sh", "-c", script],
    array: `0-${elements - 1}`,
    resources: { cpu: "50m", memory: "8MiB" },
  };
  return (await client.run({ name: "elements", project: null, job, wait_for_nodes: false })).run;
}

/** What the elements have noted. */
interface Noted {
  readonly begun: ReadonlyMap<number, number>;
  readonly ended: ReadonlySet<number>;
  readonly twice: readonly string[];
}

function notedIn(notes: string): Noted {
  const begun = new Map<number, number>();
  const ended = new Set<number>();
  const seen = new Set<string>();
  const twice: string[] = [];
  for (const line of readFileSync(notes, "utf8").split("\n")) {
    const [what, slot = "", attempt = ""] = line.split(" ");
    if (what === "e") ended.add(Number(slot));
    if (what !== "b") continue;
    begun.set(Number(slot), (begun.get(Number(slot)) ?? 0) + 1);
    if (seen.has(`${slot} ${attempt}`)) twice.push(`element ${slot} began twice as attempt ${attempt}`);
    seen.add(`${slot} ${attempt}`);
  }
  return { begun, ended, twice };
}

/** Waits until the array is over, and holds what is said of its elements against what they did. */
export async function auditElements(
  { cluster }: Field,
  run: number,
  elements: number,
  notes: string,
): Promise<Verdict> {
  const client = cluster.client();
  await waitUntil(
    "the array to end",
    async () => {
      try {
        return (await client.runInfo(run)).finished_ms !== null;
      } catch (error) {
        if (error instanceof UnreachableError) return false;
        throw error;
      }
    },
    SETTLED_MS,
  );
  const { begun, ended, twice } = notedIn(notes);
  const lost: string[] = [];
  const again = [...twice];
  const wrong: string[] = [];
  let unknown = 0;
  let said = 0;
  for (let next: string | null | undefined; next !== null;) {
    const page = await client.elements(run, { limit: PAGE, ...(next === undefined ? {} : { next }) });
    for (const { slot, state, exit_code, signal } of page.elements) {
      said += 1;
      const isUnknown = state === "unknown" || state === "lost";
      unknown += Number(isUnknown);
      const is = `element ${slot} is ${state}, code ${exit_code}, signal ${signal}`;
      if (state === "pending" || state === "assigned") lost.push(is);
      else if (!isUnknown && (exit_code !== codeOf(slot) || !ended.has(slot))) wrong.push(is);
      if ((begun.get(slot) ?? 0) > 1) again.push(`${is}, and began ${begun.get(slot)} times`);
    }
    next = page.next;
  }
  if (said !== elements) lost.push(`${elements - said} elements are not told of`);
  return { asked: elements, acknowledged: said, lost, twice: again, wrong, unknown, logs: 0 };
}
