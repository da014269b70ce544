// JSON that somebody else wrote, or that was cut off: read without throwing, and believed field by field.

export type JsonObject = Readonly<Record<string, unknown>>;

/** The value in a text; `undefined` when the text is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The fields of an object. `null`, lists, numbers and texts have none. */
export const fieldsOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

export const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");
