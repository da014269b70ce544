// Cuts texts to a bound. Texts that people read are cut where they are made and again where they are sent, so that no
// message is refused for the length of a text.

/** Ends a text that was cut. */
const CUT = "…";

/**
 * Returns the first characters of a text, at most `chars` of them. A text that was longer ends with "…". Halves of
 * surrogate pairs are replaced, since neither UTF-8 nor the database holds them.
 */
export function cutText(text: string, chars: number): string {
  const kept = text.length <= chars ? text : text.slice(0, Math.max(0, chars - CUT.length)) + CUT;
  return kept.toWellFormed();
}

/** Returns the last characters of a text, at most `chars` of them, with halves of surrogate pairs replaced. */
export const lastOfText = (text: string, chars: number): string =>
  (text.length <= chars ? text : text.slice(text.length - chars)).toWellFormed();
