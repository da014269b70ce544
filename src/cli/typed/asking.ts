// Questions to the person at the terminal. Without one nothing is asked: the caller says which flag answers.

import type { Context } from "../context";
import { UsageError } from "../failure";

/** A yes-or-no question; only a clear yes is one. */
export async function confirm(context: Context, question: string, otherwise: string): Promise<boolean> {
  const { input, err } = context.host;
  if (!input.tty || !err.tty) throw new UsageError("there is no terminal to ask on", otherwise);
  const answer = await input.line(`${question} [y/N] `, false);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}
