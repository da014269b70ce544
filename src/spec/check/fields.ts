// Values of a file before they are checked. Any key may be missing, and any value may be of any type.

export type Fields = Readonly<Record<string, unknown>>;

/** The fields of a value that is not a map: it has no keys that could contradict each other. */
export const NONE: Fields = {};

export const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : NONE;

export const get = (fields: Fields, key: string): unknown => (Object.hasOwn(fields, key) ? fields[key] : undefined);
export const has = (fields: Fields, key: string): boolean => get(fields, key) !== undefined;
