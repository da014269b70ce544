// Laws of everything but tasks: the cluster's numbers, nodes, runs, names and tokens.

import { countOf, type ArrayRun } from "../model/array";
import { ADMISSION_MOVES, CONTACT_MOVES, isFinal, mayRunMove } from "../model/lifecycle";
import type { ClusterRow, State } from "../model/rows-state";
import type { RunRow, WorkloadRow } from "../model/rows-work";
import { slotsEnd } from "../model/slots";
import type { NodeRow } from "../model/rows-node";
import { slotKey } from "../model/task";
import { type Law, linesOf } from "./law";
import type { Changed, MomentRows } from "./moment";

export const RECORD_LAWS: readonly Law[] = [
  {
    name: "revision-rises",
    says: "a batch is one revision further, and cluster, timeline, epoch and time do not go back",
    broken: ({ before, after }) => wrongCluster(before.cluster, after.cluster),
  },
  {
    name: "numbers-are-new",
    says: "run numbers and nodes' ordinals are taken from the cluster's counters, and never twice",
    broken: wrongNumbers,
  },
  {
    name: "run-moves",
    says: "a run's state moves as its table says, by the plan alone",
    broken: ({ runs, before, rows, moment: { actor } }) => {
      const wrong = (was: RunRow | undefined, row: RunRow | null): string | null =>
        was === undefined || row === null || was.state === row.state
          ? null
          : mayRunMove(was.state, row.state) && actor === "plan"
            ? null
            : `run ${row.run} from ${was.state} to ${row.state}`;
      return [
        ...linesOf(runs, ({ was, row }) => wrong(was, row)),
        ...linesOf(rows.ended_runs ?? [], ({ key, row }) => wrong(before.runs.get(key), row)),
      ];
    },
  },
  {
    name: "run-succeeds-by-its-tasks",
    says: "a run succeeds when all members of its newest attempt have, or a person has said so",
    broken: (look) => {
      const wrong = (row: RunRow | null): string | null => (row === null ? null : withoutSuccess(look, row));
      return [
        ...linesOf(look.runs, ({ row }) => wrong(row)),
        ...linesOf(look.rows.ended_runs ?? [], ({ row }) => wrong(row)),
      ];
    },
  },
  {
    name: "run-leaves-when-over",
    says: "a run leaves the live state when it is over, as the row that history keeps, and for ever",
    broken: wrongLeaving,
  },
  {
    name: "node-moves",
    says: "a node's admission and contact move as their tables say, contact by the plan and intent by people alone",
    broken: (look) => linesOf(look.nodes, (changed) => wrongNode(look.moment.actor, changed)),
  },
  {
    name: "names-are-unique",
    says: "no two nodes, apps of a project or workloads of an app have one name",
    broken: doubleNames,
  },
  {
    name: "slots-are-given-up",
    says: "the slots that a service gave up ascend, and each is below its highest one",
    broken: ({ rows }) => linesOf(rows.workloads ?? [], ({ row }) => (row === null ? null : wrongSlots(row))),
  },
  {
    name: "tokens-have-users",
    says: "a token that is not revoked belongs to a user who is there, or to nobody",
    broken: strayTokens,
  },
];

function wrongCluster(before: ClusterRow, after: ClusterRow): string[] {
  const lines: string[] = [];
  if (after.revision !== before.revision + 1) lines.push(`revision ${before.revision} to ${after.revision}`);
  if (after.at_ms < before.at_ms) lines.push(`time ${before.at_ms} to ${after.at_ms}`);
  for (const key of ["cluster_id", "timeline", "epoch"] as const) {
    if (after[key] !== before[key]) lines.push(`${key} ${before[key]} to ${after[key]}`);
  }
  return lines;
}

function wrongNumbers({ before, after, runs, nodes }: MomentRows): string[] {
  const [was, is] = [before.cluster, after.cluster];
  const taken = new Set<string>();
  const check = (what: "run" | "ordinal", number: number, next: number, first: number): string | null => {
    const twice = taken.has(`${what} ${number}`);
    taken.add(`${what} ${number}`);
    return twice || number < first || number >= next ? `${what} ${number}, given are ${first} to ${next - 1}` : null;
  };
  return [
    ...(is.next_run < was.next_run ? [`next_run ${was.next_run} to ${is.next_run}`] : []),
    ...(is.next_ordinal < was.next_ordinal ? [`next_ordinal ${was.next_ordinal} to ${is.next_ordinal}`] : []),
    ...linesOf(runs, ({ was: old, row }) =>
      old !== undefined || row === null ? null : check("run", row.run, is.next_run, was.next_run),
    ),
    ...linesOf(nodes, ({ was: old, row }) =>
      old !== undefined || row === null ? null : check("ordinal", row.ordinal, is.next_ordinal, was.next_ordinal),
    ),
  ];
}

function withoutSuccess({ before, after }: MomentRows, row: RunRow): string | null {
  if (row.state !== "succeeded" || before.runs.get(row.uid)?.state === "succeeded") return null;
  if (row.array !== null) return wrongSuccess(row.run, row.array);
  const key = slotKey(row.uid, 0);
  // A run that is over leaves the live state with its slot, mostly in the same pass.
  const ends = (after.slots.get(key) ?? before.slots.get(key))?.ends ?? [];
  const isDeclared = ends.some(({ state, settled }) => state === "unknown" && settled?.as === "succeeded");
  return isDeclared || (ends.length > 0 && ends.every((end) => end.state === "succeeded"))
    ? null
    : `run ${row.run} with ${ends.map((end) => end.state).join(", ") || "no end"}`;
}

function wrongSuccess(run: number, array: ArrayRun): string | null {
  const all = countOf(array);
  return array.succeeded === all ? null : `run ${run} with ${array.succeeded} of ${all} elements`;
}

function wrongSlots({ app, name, kind, settings, without }: WorkloadRow): string | null {
  const given_up = without ?? [];
  const highest = slotsEnd({ settings, without }) - 1;
  const isRight = given_up.every((slot, n) => slot > (given_up[n - 1] ?? -1) && slot < highest);
  return without === null || (kind === "service" && given_up.length > 0 && isRight)
    ? null
    : `${app}.${name} with ${settings.replicas} replicas without ${given_up.join(", ") || "nothing"}`;
}

function wrongLeaving({ before, after, runs, rows }: MomentRows): string[] {
  const ended = new Map((rows.ended_runs ?? []).map(({ key, row }) => [key, row]));
  return [
    ...linesOf(runs, ({ key, was, row }) =>
      was !== undefined && row === null && !ended.has(key) ? `run ${was.run} left without an end` : null,
    ),
    ...linesOf(ended.values(), (row) => {
      if (!isFinal(row.state)) return `run ${row.run} left as ${row.state}`;
      if (after.runs.has(row.uid)) return `run ${row.run} is live and has ended`;
      return before.runs.has(row.uid) ? null : `run ${row.run} had left before`;
    }),
    ...linesOf(runs, ({ was, row }) =>
      was !== undefined && row !== null && row.run !== was.run ? `run ${was.run} is called ${row.run}` : null,
    ),
  ];
}

function wrongNode(actor: string, { was, row }: Changed<NodeRow>): string | null {
  if (was === undefined || row === null) return null;
  const say = (what: "admission" | "contact" | "intent" | "ordinal"): string =>
    `${row.name}: ${what} ${was[what]} to ${row[what]}, by ${actor}`;
  if (was.ordinal !== row.ordinal) return say("ordinal");
  if (was.admission !== row.admission && !ADMISSION_MOVES[was.admission].includes(row.admission))
    return say("admission");
  if (was.contact !== row.contact && (actor !== "plan" || !CONTACT_MOVES[was.contact].includes(row.contact)))
    return say("contact");
  const own = actor === "plan" || actor.startsWith("node ");
  return was.intent !== row.intent && own ? say("intent") : null;
}

/** Returns the names that two rows have at once. Only rows that are new or were renamed are compared. */
function doubleNames({ before, after, rows }: MomentRows): string[] {
  const lines: string[] = [];
  const check = <Row>(
    table: "nodes" | "apps" | "workloads",
    nameOf: (row: Row) => string,
    changes: readonly { readonly key: string; readonly row: Row | null }[] = [],
  ): void => {
    const named = changes.flatMap(({ key, row }) => {
      const was = before[table].get(key) as Row | undefined;
      return row !== null && (was === undefined || nameOf(was) !== nameOf(row)) ? [{ key, name: nameOf(row) }] : [];
    });
    if (named.length === 0) return;
    const holders = new Map<string, string>();
    const wanted = new Set(named.map(({ name }) => name));
    for (const [key, row] of after[table] as ReadonlyMap<string, Row>) {
      const name = nameOf(row);
      if (!wanted.has(name)) continue;
      const other = holders.get(name);
      if (other !== undefined) lines.push(`${table} ${other} and ${key} are both called ${name}`);
      holders.set(name, key);
    }
  };
  check<NodeRow>("nodes", (row) => row.name, rows.nodes);
  check<RowOf<"apps">>("apps", (row) => `${row.project}/${row.name}`, rows.apps);
  check<RowOf<"workloads">>("workloads", (row) => `${row.app_uid}/${row.name}`, rows.workloads);
  return lines;
}

type RowOf<T extends "apps" | "workloads"> = State[T] extends ReadonlyMap<string, infer Row> ? Row : never;

function strayTokens({ after, rows }: MomentRows): string[] {
  const gone = (rows.users ?? []).some(({ row }) => row === null);
  const asked = gone ? after.tokens.values() : (rows.tokens ?? []).flatMap(({ row }) => (row === null ? [] : [row]));
  return linesOf(asked, ({ id, user, revoked_ms }) =>
    user === null || revoked_ms !== null || after.users.has(user) ? null : `token ${id} of ${user}, who is not there`,
  );
}
