// The grammar of ports: a number, `auto`, or a map; with hints for the forms of Compose.

import type { PortRequest } from "../../core/model/workload";
import { invalid, parsed, quoted, type Parsed } from "../issue";

export interface PortFields {
  readonly target?: number | undefined;
  readonly published: number | null;
  readonly bind: "cluster" | "loopback";
}

/** Reads a port number. */
export function readPortNumber(port: number): Parsed<number> {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return parsed(port);
  return invalid(`${port} is not a port`, port === 0 ? "`auto` takes a free one" : "1 to 65535");
}

/** Reads the port on the node: a number, or null for any free one. */
export function readPublished(value: number | string): Parsed<number | null> {
  if (typeof value === "number") return readPortNumber(value);
  if (value === "auto") return parsed(null);
  const pair = /^(?:.*:)?(\d+):(\d+)(?:\/\w+)?$/.exec(value);
  if (pair !== null)
    return invalid(`${quoted(value)} is Compose's form`, `write \`{ target: ${pair[2]}, published: ${pair[1]} }\``);
  const number = /^\d+$/.test(value) ? `without quotes: \`${value}\`` : "a number from 1 to 65535, or `auto`";
  return invalid(`${quoted(value)} is not a port`, number);
}

/** Reads any form of a port. A number or `auto` is the published port, and the port inside is the same. */
export function readPort(value: number | string | PortFields): Parsed<Omit<PortRequest, "name">> {
  if (typeof value === "object") return parsed({ ...value, target: value.target ?? null });
  const published = readPublished(value);
  return published.is === "parsed" ? parsed({ target: null, published: published.value, bind: "cluster" }) : published;
}
