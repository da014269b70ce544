// When a run fails since its command is nowhere: where so many nodes lack it that too few are left to try.

import { compareText } from "../canonical";
import type { LeftOut } from "../model/rows-work";
import type { Demand, Pass } from "../pass/pass";
import { findings, isCandidate } from "../place/checks";
import { rejectionsOf, saidOf, whyRejected } from "../place/left-out";
import { openRooms } from "../place/room";
import { noShapes, shapeOf, type Look } from "../place/shape";

export interface NoCommand {
  /** 127 as from a shell, or 126 for a command that is there and not executable. */
  readonly exit_code: number;
  readonly reason: string;
}

const NOT_FOUND = 127;
const NAMED_NODES = 5;

/**
 * Returns how a run ends whose command is missing on its nodes, or null while it may yet be found. A node counts that
 * may be considered now and could hold the run, also where others take its room for the moment: it is waited for.
 */
export function commandNowhere(pass: Pass, demand: Demand): NoCommand | null {
  const lacks = (entry: LeftOut | undefined): entry is LeftOut => entry?.cause === "no_command";
  if (demand.slot_row?.avoid.some(lacks) !== true) return null;
  const rooms = openRooms(pass);
  const shape = shapeOf(pass, noShapes(), demand);
  const look: Look = { pass, rooms, shape: { ...shape, left_out: new Map() } };
  const possible = rooms.list.filter(
    (room) => isCandidate(look, room) && !findings(look, room).some(({ hopeless }) => hopeless),
  );
  const said = saidOf(pass, rejectionsOf(pass), demand.owner, shape.account);
  const lacking = possible.filter(({ node }) => lacks(said.get(node.id)));
  const [first] = lacking;
  const entry = said.get(first?.node.id ?? "");
  if (entry === undefined || possible.length - lacking.length >= demand.spec.members) return null;
  const names = lacking.map(({ node }) => node.name).sort(compareText);
  const more = names.length - NAMED_NODES;
  const where = `${names.slice(0, NAMED_NODES).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  return {
    exit_code: entry.exit_code ?? NOT_FOUND,
    reason: `could not start: ${whyRejected(entry)} (on ${where})`,
  };
}
