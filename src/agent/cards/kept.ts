// The facts about cards that survive restarts of the agent: which cards there are, their baselines, their holders, and
// why they are out of use. An unreadable file is set aside, and the cards count as new.

import { newCard, type CardState } from "../../core/agent/card";
import type { Holder } from "../../core/agent/card-users";
import type { Device } from "../../core/model/device";
import type { Ms } from "../../core/units";
import { messageOf } from "../../os/errors";
import {} from "../../os/files/disk";
import { replaceFile } from "../../os/files/durable";
import { readJson, renameTo } from "../../os/files/files";
import { bootId } from "../../os/proc";
import { device, findingOverrides } from "../../wire/nouns";
import type { Handle } from "../devices/device";
import type { HealthMemory } from "./health";

export interface KnownCard {
  /** The card's facts. Its state and its strangers are in `card`. */
  readonly facts: Device;
  readonly handle: KnownHandle;
  readonly card: CardState;
  readonly holders: readonly Holder[];
}

/** The part of a card's handle that is kept. */
export type KnownHandle = Pick<Handle, "visible" | "files" | "shared_files">;

export interface KeptCard {
  readonly facts: Device;
  readonly handle: KnownHandle;
  readonly baseline_bytes: number | null;
  readonly quarantine: CardState["quarantine"];
  readonly missing: string | null;
  /**
   * The tasks that hold the card. For a card that was not checked since its release, also the tasks that held it
   * before.
   */
  readonly holders: readonly Holder[];
}

export interface Kept {
  readonly cards: ReadonlyMap<string, KnownCard>;
  readonly health: HealthMemory;
}

const NOTHING: Kept = { cards: new Map(), health: { log: null, overrides: {} } };

/** Reads the file in `<data>/agent`. Cards count as held by nobody until the agent's records have been read. */
export function readKept(path: string, now_ms: Ms, say: (line: string) => void): Kept {
  const read = readJson(path);
  if (read.is === "missing") return NOTHING;
  const found = read.is === "there" ? keptFrom(read.value) : { is: "bad" as const, why: read.why };
  if (found.is === "bad") {
    say(`what was known of the cards is unreadable, and set aside as ${path}.bad: ${found.why}`);
    renameTo(path, `${path}.bad`);
    return NOTHING;
  }
  const { kept } = found;
  const same = kept.boot_id === bootId();
  return {
    cards: recalled(kept.cards, same, now_ms),
    health: { log: same ? kept.log : null, overrides: kept.overrides },
  };
}

/**
 * Returns the cards as a starting agent sees them. A boot ends every process and may change how much memory drivers
 * need.
 */
export const recalled = (cards: readonly KeptCard[], same_boot: boolean, now_ms: Ms): ReadonlyMap<string, KnownCard> =>
  new Map(
    cards.map(({ facts, handle, baseline_bytes, quarantine: kept, missing, holders }) => {
      const card = newCard(now_ms);
      // A moment of another boot, or of an older release, is none of this boot's clock. A moment in the future would
      // keep the card in quarantine until a test could be newer.
      const since_ms = same_boot ? Math.min(kept?.since_ms ?? now_ms, now_ms) : now_ms;
      const quarantine = kept === null ? null : { ...kept, since_ms };
      const gate = card.gate.is === "closed" && same_boot ? { ...card.gate, after: holders } : card.gate;
      const known = { ...card, quarantine, missing, gate, baseline_bytes: same_boot ? baseline_bytes : null };
      return [facts.id, { facts, handle, card: known, holders: [] }] as const;
    }),
  );

interface KeptFile extends HealthMemory {
  readonly boot_id: string;
  readonly cards: readonly KeptCard[];
}

type Bad = { readonly is: "bad"; readonly why: string };
const bad = (why: string): Bad => ({ is: "bad", why });

function keptFrom(value: unknown): Bad | { readonly is: "good"; readonly kept: KeptFile } {
  const { boot_id, cards, log, overrides } = (value ?? {}) as Partial<Record<keyof KeptFile, unknown>>;
  if (typeof boot_id !== "string" || !Array.isArray(cards)) return bad("fields are missing");
  const rules = findingOverrides.safeParse(overrides);
  if (!rules.success || (log !== null && typeof log !== "string")) return bad("the place in the log is not understood");
  const known: KeptCard[] = [];
  for (const card of cards as unknown[]) {
    const read = cardFrom(card);
    if (read.is === "bad") return read;
    known.push(read.card);
  }
  return { is: "good", kept: { boot_id, log, overrides: rules.data, cards: known } };
}

function cardFrom(value: unknown): Bad | { readonly is: "good"; readonly card: KeptCard } {
  const read = (value ?? {}) as Partial<Record<keyof KeptCard, unknown>>;
  const { facts, handle, baseline_bytes, quarantine, missing, holders } = read;
  const parsed = device.safeParse(facts);
  if (!parsed.success) return bad("a card is not understood");
  if (baseline_bytes !== null && typeof baseline_bytes !== "number") return bad("a baseline is not a number");
  if (!isQuarantine(quarantine) || !Array.isArray(holders) || !holders.every(isHolder))
    return bad("a card is half told");
  if (!isHandle(handle) || (missing !== null && typeof missing !== "string")) return bad("a card is half told");
  return { is: "good", card: { facts: parsed.data, handle, baseline_bytes, quarantine, missing, holders } };
}

const has = (value: unknown, types: Readonly<Record<string, readonly string[]>>): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.entries(types).every(([name, kinds]) => {
    const field = (value as Record<string, unknown>)[name];
    return kinds.includes(field === null ? "null" : typeof field);
  });

const isQuarantine = (value: unknown): value is CardState["quarantine"] =>
  value === null || has(value, { reason: ["string"], since_ms: ["number"] });

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === "string");

const isHandle = (value: unknown): value is KnownHandle =>
  has(value, { visible: ["string"], files: ["object"], shared_files: ["object"] }) &&
  isTexts((value as KnownHandle).files) &&
  isTexts((value as KnownHandle).shared_files);

const isHolder = (value: unknown): value is Holder =>
  has(value, {
    uid: ["string"],
    name: ["string"],
    user: ["string", "null"],
    bytes: ["number", "null"],
    started_ms: ["number", "null"],
  });

export interface CardsFile {
  /** Writes the cards if they differ from the file. One write runs at a time, and the newest state is written last. */
  keep(cards: Iterable<KnownCard>, health: HealthMemory): void;
}

export function createKeeping(path: string, say: (line: string) => void): CardsFile {
  let written = "";
  let wanted = "";
  let writing = false;

  const write = async (): Promise<void> => {
    while (wanted !== written) {
      const text = wanted;
      await replaceFile(path, text);
      written = text;
    }
  };

  return {
    keep(cards, health) {
      const all = [...cards];
      // A machine that never had a card has no such file.
      if (all.length === 0 && written === "") return;
      wanted = `${JSON.stringify({ boot_id: bootId(), ...health, cards: all.map(keptOf) })}\n`;
      if (writing || wanted === written) return;
      writing = true;
      write()
        .catch((error: unknown) => {
          // The next change triggers another write.
          say(`what is known of the cards could not be written: ${messageOf(error)}`);
        })
        .finally(() => {
          writing = false;
        });
    },
  };
}

export function keptOf({ facts, handle, card, holders }: KnownCard): KeptCard {
  const { baseline_bytes, quarantine, missing, gate } = card;
  const after = gate.is === "closed" ? gate.after.filter(({ uid }) => !holders.some((one) => one.uid === uid)) : [];
  return { facts, handle, baseline_bytes, quarantine, missing, holders: [...after, ...holders] };
}
