// All mutants. The simulator must see every one of them.

import { ARRAY_MUTANTS } from "./array-mutants";
import { CARD_MUTANTS } from "./card-mutants";
import { HEIR_MUTANTS } from "./heir-mutants";
import { MISTAKE_MUTANTS } from "./mistake-mutants";
import { LIE_MUTANTS } from "./lie-mutants";
import { LAW_MUTANTS } from "./law-mutants";
import type { Mutant } from "./mutant";
import { PROTOCOL_MUTANTS } from "./protocol-mutants";
import { UNKNOWN_MUTANTS } from "./unknown-mutants";
import { WAIT_MUTANTS } from "./wait-mutants";

export const MUTANTS: readonly Mutant[] = [
  ...PROTOCOL_MUTANTS,
  ...MISTAKE_MUTANTS,
  ...ARRAY_MUTANTS,
  ...CARD_MUTANTS,
  ...LAW_MUTANTS,
  ...UNKNOWN_MUTANTS,
  ...LIE_MUTANTS,
  ...WAIT_MUTANTS,
  ...HEIR_MUTANTS,
];
