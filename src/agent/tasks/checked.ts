// Lines with a checksum of their text in front, so that one that was damaged, or cut off, is known.

/** Returns a text, which is of one line, as a line without its end. */
export const checked = (text: string): string => `${Bun.hash.crc32(text).toString(16).padStart(8, "0")} ${text}`;

/** Returns the text of a line, or null if it is not as it was written. */
export function textIn(line: string): string | null {
  const text = line.slice(9);
  return line === checked(text) ? text : null;
}
