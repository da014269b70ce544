// JSON from other programs, or JSON that may be cut off: it is read without throwing, and each field is checked by its
// reader.

export type JsonObject = Readonly<Record<string, unknown>>;

/** Returns the value in a text, or undefined if the text is not JSON. */
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

/** Returns the fields of an object. Null, lists, numbers and texts have no fields. */
export const fieldsOf = (value: unknown): JsonObject => (isObject(value) ? value : {});

export const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");
