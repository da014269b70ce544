// Mutants of how cards are given out. Every `find` occurs exactly once in its file.

import { edit, type Mutant } from "./mutant";

export const CARD_MUTANTS: readonly Mutant[] = [
  {
    name: "shares-are-not-summed",
    rule: "I4: shares never exceed a device",
    edits: [edit("src/core/model/resources.ts", "held.bytes += by * bytes;", "held.bytes = Math.min(0, by * bytes);")],
  },
  {
    name: "shared-cards-are-whole",
    rule: "I4: a whole device has one owner",
    edits: [
      edit("src/core/cards/node-cards.ts", 'if (held.shares > 0) return "held";', "if (held.shares < 0) return null;"),
    ],
  },
  {
    name: "foreign-memory-is-ignored",
    rule: "I4: only a card with room is given",
    edits: [
      edit(
        "src/core/cards/node-cards.ts",
        "device.foreign_bytes > FOREIGN_TOLERANCE_BYTES",
        "device.foreign_bytes < 0",
      ),
      edit("src/core/cards/node-cards.ts", "held.bytes + need + card.device.foreign_bytes >", "held.bytes + need >"),
    ],
  },
  {
    name: "bad-cards-are-given",
    rule: "I4: only a good card is given",
    edits: [
      edit(
        "src/core/cards/node-cards.ts",
        "if (card.trouble !== null) return card.trouble;",
        "if (need === 0) return null;",
      ),
    ],
  },
  {
    name: "cards-are-not-checked",
    rule: "I4: a card is handed over clean",
    edits: [
      edit("src/core/agent/card.ts", "if (ended.length === 0) return card;", "if (ended.length >= 0) return card;"),
    ],
  },
  {
    name: "an-old-look-opens-the-gate",
    rule: "I4: a card is handed over clean",
    edits: [edit("src/core/agent/card.ts", 'if (gate.is === "open" || sight.n <= gate.n)', 'if (gate.is === "open")')],
  },
  {
    name: "memory-that-stays-is-clean",
    rule: "I4: a card is handed over clean",
    edits: [edit("src/core/agent/card.ts", "rest > CLEAN_WITHIN_BYTES ? rest : 0", "rest < 0 ? rest : 0")],
  },
  {
    name: "what-is-left-is-clean",
    rule: "I4: a card is handed over clean",
    edits: [edit("src/core/agent/card.ts", "left.length === 0 && suspects", "suspects")],
  },
];
