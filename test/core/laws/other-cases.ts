// Transactions that break the laws which have a file of their own.

import { ARRAY_CASES } from "./array-cases";
import { HEIR_CASES } from "./heir-cases";

export const OTHER_CASES = { ...ARRAY_CASES, ...HEIR_CASES };
