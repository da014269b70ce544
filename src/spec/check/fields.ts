// Values as somebody wrote them, before they are checked: looked at without trusting that anything is there.

export type Fields = Readonly<Record<string, unknown>>;

/** What is not a map has no keys to contradict each other. */
export const NONE: Fields = {};

export const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : NONE;

export const get = (fields: Fields, key: string): unknown => (Object.hasOwn(fields, key) ? fields[key] : undefined);
export const has = (fields: Fields, key: string): boolean => get(fields, key) !== undefined;
