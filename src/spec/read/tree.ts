// Turns a YAML document into plain values with their places. It follows the schema: where the schema wants a text, a
// scalar is the text as it was written, so `1.10` stays "1.10" and `yes` stays "yes".

import { isAlias, isMap, isScalar, isSeq, type Document, type Node, type Pair, type Scalar, type YAMLMap } from "yaml";
import type { z } from "zod";
import { fault, placeKey, type Fault, type Places } from "./fault";
import type { Path } from "../issue";
import { TEXT_LIMITS } from "../limits";
import { readScalarText } from "./text";
import { below, wantsText } from "../schema/lookup";

export interface SpecTree {
  readonly value: unknown;
  readonly places: Places;
  readonly faults: readonly Fault[];
}

interface Reader {
  readonly places: Map<string, { key: number | null; value: number | null }>;
  readonly faults: Fault[];
  readonly anchors: Map<string, Node>;
  /** What each alias stood for when it was first met. The name may be given to another value further down. */
  readonly aliases: Map<Node, Node | null>;
  readonly bound: Set<Node>;
  nodes: number;
}

const startOf = (node: unknown): number | null => (node as Node | null)?.range?.[0] ?? null;

/** Reads a document along its schema. */
export function readTree(document: Document.Parsed, schema: z.ZodType): SpecTree {
  const reader: Reader = {
    places: new Map(),
    faults: [],
    anchors: new Map(),
    aliases: new Map(),
    bound: new Set(),
    nodes: 0,
  };
  const value = readNode(reader, document.contents, schema, []);
  const full = reader.nodes > TEXT_LIMITS.nodes;
  const limit = fault([], `has more than ${TEXT_LIMITS.nodes} values`, "aliases count as often as they are used");
  return { value, places: reader.places, faults: full ? [limit] : reader.faults };
}

function readNode(reader: Reader, node: Node | null, schema: z.ZodType | null, path: Path): unknown {
  if (++reader.nodes > TEXT_LIMITS.nodes) return null;
  const place = reader.places.get(placeKey(path));
  if (place === undefined) reader.places.set(placeKey(path), { key: null, value: startOf(node) });
  else place.value = startOf(node);
  const target = resolve(reader, node, path);
  if (target === null) return null;
  if (!isScalar(target)) refuseTag(reader, target, path);
  const value = isScalar(target)
    ? readScalar(reader, target, schema, path)
    : path.length > TEXT_LIMITS.depth
      ? tooDeep(reader, path)
      : isSeq(target)
        ? target.items.map((item, i) => readNode(reader, item as Node, below(schema, i), [...path, i]))
        : isMap(target)
          ? readMap(reader, target, schema, path)
          : null;
  if (target.anchor !== undefined && !reader.bound.has(target)) reader.anchors.set(target.anchor, target);
  reader.bound.add(target);
  return value;
}

function tooDeep(reader: Reader, path: Path): null {
  reader.faults.push(fault(path, `is nested deeper than ${TEXT_LIMITS.depth}`));
  return null;
}

/**
 * Returns what an alias stands for. An anchor counts once its own value is complete, so that none can contain itself.
 */
function resolve(
  reader: Reader,
  node: Node | null,
  path: Path,
): Exclude<Node, { source: string }> | Scalar | YAMLMap | null {
  if (!isAlias(node)) return node;
  const known = reader.aliases.get(node);
  const target = known === undefined ? (reader.anchors.get(node.source) ?? null) : known;
  reader.aliases.set(node, target);
  if (target === null)
    reader.faults.push(
      fault(path, `\`*${node.source}\` has no anchor above it`, "a text that begins with `*` needs quotes"),
    );
  return target as ReturnType<typeof resolve>;
}

const CORE_TAG = /^(!|tag:yaml\.org,2002:(str|int|float|bool|null|map|seq))$/;

const isForeignTag = (node: Node): boolean => node.tag !== undefined && !CORE_TAG.test(node.tag);

function refuseTag(reader: Reader, node: Node, path: Path): void {
  if (!isForeignTag(node)) return;
  const message = `the tag \`${node.tag?.slice(0, 60)}\` means nothing here`;
  reader.faults.push(fault(path, message, "a text that begins with `!` needs quotes"));
}

/** A word processor's quotes around a value are part of it to YAML, and never meant. In real quotes they are. */
function refuseCurly(reader: Reader, node: Scalar, path: Path): void {
  if (node.type !== "PLAIN" || !/^[\u201c\u201d\u201e\u2018\u2019]/.test(node.source ?? "")) return;
  reader.faults.push(fault(path, "begins with a curly quote", "YAML's quotes are straight: `\"` or `'`"));
}

function readScalar(reader: Reader, node: Scalar, schema: z.ZodType | null, path: Path): unknown {
  const written = typeof node.value === "string" ? node.value : (node.source ?? "");
  // `- !old` among label expressions is a tag to YAML. Here it can only mean the expression.
  if (written === "" && isForeignTag(node) && path.at(-2) === "labels" && wantsText(schema)) return node.tag;
  refuseTag(reader, node, path);
  refuseCurly(reader, node, path);
  const value = wantsText(schema) ? written : node.value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string") return value;
  const checked = readScalarText(value);
  if (checked.is === "invalid") reader.faults.push(fault(path, checked.message, checked.hint));
  return value;
}

function readKey(reader: Reader, pair: Pair, path: Path): string | null {
  const node = isAlias(pair.key) ? reader.anchors.get(pair.key.source) : (pair.key as Node | null);
  if (node === null) return "";
  const text = isScalar(node) ? (typeof node.value === "string" ? node.value : (node.source ?? "")) : null;
  if (text !== null && text !== "__proto__") return text;
  const found = {
    ...fault(path, text === null ? "a key must be a text" : "`__proto__` cannot be a key", null, "key"),
  };
  const offset = startOf(pair.key);
  reader.faults.push(offset === null ? found : { ...found, offset });
  return null;
}

/** Reads a map. `<<` takes over the keys of other maps that are not given here. */
function readMap(reader: Reader, map: YAMLMap, schema: z.ZodType | null, path: Path): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const merged: Node[] = [];
  for (const pair of map.items) {
    const key = readKey(reader, pair as Pair, path);
    if (key === null) continue;
    if (key === "<<" && isScalar(pair.key) && pair.key.type === "PLAIN") merged.push(pair.value as Node);
    else if (Object.hasOwn(out, key))
      reader.faults.push({
        ...fault([...path, key], "is given twice", "remove one"),
        offset: startOf(pair.key) ?? 0,
      });
    else readField(reader, out, pair as Pair, key, schema, path);
  }
  for (const source of merged) mergeInto(reader, out, source, schema, path);
  return out;
}

/** Adds the keys of `source` that are missing. Its own keys come before those that it merges itself. */
function mergeInto(
  reader: Reader,
  out: Record<string, unknown>,
  source: Node,
  schema: z.ZodType | null,
  path: Path,
  depth = 0,
): void {
  if (++reader.nodes > TEXT_LIMITS.nodes || depth > TEXT_LIMITS.depth) return;
  const found = reader.faults.length;
  const target = resolve(reader, source, path);
  const maps = isSeq(target) ? target.items.map((item) => resolve(reader, item as Node, path)) : [target];
  for (const map of maps) {
    if (!isMap(map)) {
      const hint = "`<<: *name` takes the keys of a map above";
      const known = map === null && reader.faults.length > found;
      if (!known) reader.faults.push(fault([...path, "<<"], "merges something that is not a map", hint));
      continue;
    }
    const merged: Node[] = [];
    for (const pair of map.items) {
      const key = readKey(reader, pair as Pair, path);
      if (key === "<<") merged.push(pair.value as Node);
      else if (key !== null && !Object.hasOwn(out, key)) readField(reader, out, pair as Pair, key, schema, path);
    }
    for (const inner of merged) mergeInto(reader, out, inner, schema, path, depth + 1);
  }
}

function readField(
  reader: Reader,
  out: Record<string, unknown>,
  pair: Pair,
  key: string,
  schema: z.ZodType | null,
  path: Path,
): void {
  if (reader.nodes > TEXT_LIMITS.nodes) return;
  reader.places.set(placeKey([...path, key]), { key: startOf(pair.key), value: null });
  out[key] = readNode(reader, pair.value as Node | null, below(schema, key), [...path, key]);
}
