// How a table gets narrow enough for a terminal: its columns give way in the order that they state.

/** At this turn the column is cut to so many letters, goes to lines of its own below its row, or goes out (0). */
export type Give = readonly [turn: number, to: number | "below"];

/** A column of a table that is laid out. */
export interface Lane {
  readonly gives: readonly Give[];
  readonly width: number;
  readonly place: "beside" | "below" | "out";
}

export const GAP = "  ";

/** To this a column is cut that states no turn, where all turns together do not suffice. */
const LEAST = 5;

/** Returns how wide the columns are that stand beside each other. */
export function widthOf(lanes: readonly Lane[]): number {
  const beside = lanes.filter(({ place }) => place === "beside");
  return beside.reduce((sum, { width }) => sum + width, 0) + GAP.length * Math.max(0, beside.length - 1);
}

/**
 * Returns the columns so that they fit: each takes its turns until they do. If that is not enough, the widest ones are
 * cut, and at last columns go out from the right.
 */
export function narrow(lanes: readonly Lane[], width: number): readonly Lane[] {
  const turns = lanes
    .flatMap(({ gives }, at) => gives.map(([turn, to]) => ({ turn, to, at })))
    .sort((a, b) => a.turn - b.turn || b.at - a.at);
  let now = lanes;
  for (const { to, at } of turns) {
    const over = widthOf(now) - width;
    if (over <= 0) return now;
    now = now.map((lane, n) => (n === at ? given(lane, to, over) : lane));
  }
  return leave(squeeze(now, width), width);
}

function given(lane: Lane, to: number | "below", over: number): Lane {
  if (lane.place !== "beside") return lane;
  if (to === "below") return { ...lane, place: "below" };
  if (to === 0) return { ...lane, place: "out" };
  return { ...lane, width: Math.max(Math.min(to, lane.width), lane.width - over) };
}

/** Cuts the widest columns to one width. */
function squeeze(lanes: readonly Lane[], width: number): readonly Lane[] {
  for (let most = Math.max(0, ...lanes.map((lane) => lane.width)); most >= LEAST; most--) {
    const now = lanes.map((lane) => ({ ...lane, width: Math.min(lane.width, most) }));
    if (widthOf(now) <= width || most === LEAST) return now;
  }
  return lanes;
}

function leave(lanes: readonly Lane[], width: number): readonly Lane[] {
  let now = lanes;
  while (widthOf(now) > width) {
    const last = now.findLastIndex(({ place }, at) => at > 0 && place === "beside");
    if (last < 0) return now;
    now = now.map((lane, n) => (n === last ? { ...lane, place: "out" } : lane));
  }
  return now;
}
