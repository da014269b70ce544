// Reads the rooms of each folder of src from the tables in docs/architecture.md, and checks every file and import
// against them: which rooms exist, which may import which, that there are no circles, and how many files a room holds.

import { importsOf, resolved } from "./imports";
import type { Refusal, Source } from "./source";

export const ROOM_FILES = 25;
/** Rooms with one file per command, or per thing that is printed, grow with what there is. */
const UNBOUNDED = new Set(["cli/commands", "cli/print"]);

/** A row of a table: rooms (`model/`) or files at the root of the folder (`units`), and what they are. */
interface Row {
  readonly names: readonly string[];
  readonly what: string;
}

/** The rows of each folder of src, from the ground up. */
export type House = ReadonlyMap<string, readonly Row[]>;

/** Reads the tables below headings like "### `src/core`". The first column holds names in backticks. */
export function houseOf(page: string): House {
  const house = new Map<string, Row[]>();
  let rows: Row[] | null = null;
  for (const line of page.split("\n")) {
    const folder = /^### `src\/([a-z]+)`/.exec(line)?.[1];
    if (folder !== undefined) house.set(folder, (rows = []));
    else if (line.startsWith("#")) rows = null;
    const [, names, what] = /^\| (`[^|]+`) \| ([^|]+) \|$/.exec(line) ?? [];
    if (rows === null || names === undefined || what === undefined) continue;
    rows.push({ names: [...names.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""), what });
  }
  return house;
}

interface Place {
  readonly folder: string;
  /** `model/`, `devices/nvidia/`, or the name of a file at the folder's root. */
  readonly name: string;
}

/** Returns where a file of src stands; null for src/main.ts and for files outside of src. */
function placeOf(path: string): Place | null {
  const match = /^src\/([a-z]+)\/(?:(.+)\/)?([^/]+)\.tsx?$/.exec(path);
  if (match === null) return null;
  const [, folder = "", room, file = ""] = match;
  return { folder, name: room === undefined ? file : `${room}/` };
}

const levelOf = (house: House, { folder, name }: Place): number =>
  (house.get(folder) ?? []).findIndex(({ names }) => names.includes(name));

/** Returns `model/ (what is stored), cards/ (which cards fit)`, for whoever has to find the right room. */
const roomsIn = (house: House, folder: string): string =>
  (house.get(folder) ?? [])
    .filter(({ names }) => names.some((name) => name.endsWith("/")))
    .map(({ names, what }) => `${names.join(" ")} (${what})`)
    .join("; ");

/** Returns files that stand in no room of the tables, and rooms that hold too many files. */
export function refusedPlaces(house: House, sources: readonly Source[]): Refusal[] {
  const refusals: Refusal[] = [];
  const counts = new Map<string, number>();
  for (const { path } of sources) {
    const place = placeOf(path);
    if (place === null || !house.has(place.folder)) continue;
    const { folder, name } = place;
    if (levelOf(house, place) === -1) {
      const what = name.endsWith("/")
        ? `src/${folder} has no room ${name}`
        : `src/${folder} has no file ${name} at the root`;
      const instead =
        `put it where it belongs, or give it a row in docs/architecture.md. src/${folder} has: ` +
        roomsIn(house, folder);
      refusals.push({ path, line: 1, what, instead });
    }
    const room = `${folder}/${name.slice(0, -1)}`;
    if (!name.endsWith("/") || UNBOUNDED.has(room)) continue;
    const count = (counts.get(room) ?? 0) + 1;
    counts.set(room, count);
    if (count === ROOM_FILES + 1) {
      const what = `src/${room} has more than ${ROOM_FILES} files`;
      refusals.push({
        path,
        line: 1,
        what,
        instead: "find what some of them are about together, and make that a room",
      });
    }
  }
  return refusals;
}

/** Returns rooms and files of the tables that do not exist any more. */
export function missingPlaces(house: House, sources: readonly Source[]): string[] {
  const there = new Set(sources.map(({ path }) => placeOf(path)).map((place) => `${place?.folder}/${place?.name}`));
  return [...house].flatMap(([folder, rows]) =>
    rows.flatMap(({ names }) => names.map((name) => `${folder}/${name}`)).filter((name) => !there.has(name)),
  );
}

/** Tests below test/FOLDER mirror src/FOLDER: they stand in a room of the same name, or at the root. */
export function refusedMirrors(house: House, tests: readonly Source[]): Refusal[] {
  return tests.flatMap(({ path }) => {
    const match = /^test\/([a-z]+)\/(.+\/)[^/]+\.test\.ts$/.exec(path);
    const [, folder = "", name = ""] = match ?? [];
    if (match === null || !house.has(folder) || levelOf(house, { folder, name }) !== -1) return [];
    const instead = `put it into the room of what it tests. src/${folder} has: ${roomsIn(house, folder)}`;
    return [{ path, line: 1, what: `src/${folder} has no room ${name}`, instead }];
  });
}

/** Returns imports that lead upwards in a table, or between rooms of one row. */
export function refusedArrows(house: House, sources: readonly Source[]): Refusal[] {
  const paths = new Set(sources.map(({ path }) => path));
  return sources.flatMap((source) => {
    const from = placeOf(source.path);
    if (from === null || !house.has(from.folder)) return [];
    return importsOf(source).flatMap((one) => {
      const target = one.from.startsWith(".") ? resolved(source.path, one.from, (path) => paths.has(path)) : null;
      const to = target === null ? null : placeOf(target);
      if (to === null || to.folder !== from.folder || to.name === from.name) return [];
      const [mine, its] = [levelOf(house, from), levelOf(house, to)];
      if (mine === -1 || its === -1 || its < mine || (its === mine && !to.name.endsWith("/"))) return [];
      const where = its === mine ? "beside" : "above";
      const what = `${from.folder}/${from.name} may not import ${to.folder}/${to.name}, which stands ${where} it`;
      const below = (house.get(from.folder) ?? []).slice(0, mine).flatMap(({ names }) => names);
      const lower = `${from.name} or below (${below.join(" ")})`;
      const instead = `move what both need into ${lower}, or pass it in as an argument`;
      return [{ path: source.path, line: one.line, what, instead }];
    });
  });
}

/** Returns circles of files, types counted. Each circle is returned once. */
export function circles(sources: readonly Source[]): string[][] {
  const paths = new Set(sources.map(({ path }) => path));
  const arrows = new Map(
    sources.map((source): [string, string[]] => [
      source.path,
      importsOf(source).flatMap(({ from }) =>
        from.startsWith(".") ? (resolved(source.path, from, (path) => paths.has(path)) ?? []) : [],
      ),
    ]),
  );
  const reached = (from: string): Set<string> => {
    const seen = new Set<string>();
    const queue = [...(arrows.get(from) ?? [])];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      queue.push(...(arrows.get(path) ?? []));
    }
    return seen;
  };
  const all = new Map([...paths].map((path) => [path, reached(path)]));
  const found = new Map<string, string[]>();
  for (const [path, reach] of all) {
    if (!reach.has(path)) continue;
    const circle = [...reach].filter((other) => all.get(other)?.has(path) === true).toSorted();
    found.set(circle.join(), circle);
  }
  return [...found.values()];
}
