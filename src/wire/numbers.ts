// Numbers as they travel.

import { z } from "zod";

/** A time in Unix milliseconds. */
export const ms = z.int();

/** A count, an amount or an age. */
export const int = z.int().nonnegative();
