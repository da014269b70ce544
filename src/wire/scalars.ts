// Numbers and short texts in messages.

import { z } from "zod";
import { HOUSE_LIMITS } from "../core/limits";

/** A time in Unix milliseconds. */
export const ms = z.int();

/** A count, an amount or an age. */
export const int = z.int().nonnegative();

/** A text of an agent or a server: a name, a reason, a line. */
export const text = z.string().max(HOUSE_LIMITS.text_chars);
